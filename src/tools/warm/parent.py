"""Imports one tool once, then forks a child for every job: the fork starts where a fresh process is after half a second.

Started by `warm.rs` with the name of the tool's module. Standard input is the control socket (SOCK_SEQPACKET). A message on it is one job: a byte, and three descriptors - the child's standard
output, its standard error, and the job's channel (a stream socket). On the channel

    we write     pid N             once the child is there
    we write     code N, signal N  once it has ended
    the bot writes one line of JSON, which only the child reads: what a job is made of never enters this process.

When the bot closes the channel the job is over: its group is killed, and only then is the child reaped, so that its number
names nobody else while the bot may still send signals to it.
"""

import atexit
import ctypes
import gc
import importlib
import json
import os
import resource
import runpy
import select
import signal
import socket
import sys
import tempfile
import threading
import time

LIBC = ctypes.CDLL(None)
PR_SET_PDEATHSIG = 1
# Standard streams come before all other descriptors.
FIRST_OTHER = 3


class Parent:
    """One tool, and its jobs under way."""

    def __init__(self, module):
        self.module = module
        self.jobs = 0
        self.preparing = PREPARE[module]()
        self.control = socket.socket(fileno=0)
        self.poll = select.poll()
        self.poll.register(self.control, select.POLLIN)
        self.ended = {}  # descriptor of a child's end -> job
        self.closed = {}  # descriptor of a job's channel -> job

    def serve(self):
        """Runs until the bot closes the control socket."""
        while True:
            ready = [descriptor for descriptor, _ in self.poll.poll(self.patience())]
            for descriptor in ready:
                if descriptor in self.ended:
                    self.tell(self.ended.pop(descriptor))
                elif descriptor in self.closed:
                    self.release(self.closed.pop(descriptor))
            # Last: it makes descriptors, and those in the list are numbers only.
            if self.control.fileno() in ready and not self.take():
                return
            if not ready and self.preparing:
                self.prepare()

    def patience(self):
        """Milliseconds to wait for something to happen before preparing a little more: children at work come first."""
        # One job alone does not pay for preparing the next.
        if not self.preparing or self.jobs < 2:
            return None
        return 100 if self.ended else 0

    def prepare(self):
        """Does a little, while nobody asks for anything, of what every child would do for itself."""
        try:
            next(self.preparing)
        except Exception:  # The end; or the tool has changed: then the children are a little slower, and as right as ever.
            self.preparing = None
            # Collections in the children pass over all this, and so copy none of its pages.
            gc.collect()
            gc.freeze()

    def take(self):
        """Accepts a job; false when there will be no more."""
        message, descriptors, _, _ = socket.recv_fds(self.control, 1, FIRST_OTHER)
        if not message:
            return False
        if len(descriptors) == FIRST_OTHER:
            out, err, channel = descriptors
            self.begin(out, err, socket.socket(fileno=channel))
        return True

    def begin(self, out, err, channel):
        self.jobs += 1
        us = os.getpid()
        pid = os.fork()
        if pid == 0:
            try:
                become(self.module, us, out, err, channel)
            finally:
                os._exit(1)
        os.close(out)
        os.close(err)
        try:
            os.setpgid(pid, pid)  # As the child does: whoever comes first.
        except OSError:
            pass
        job = Job(pid, channel)
        self.ended[job.end] = self.closed[channel.fileno()] = job
        self.poll.register(job.end, select.POLLIN)
        self.poll.register(channel, 0)  # Only to hear that it is closed.
        job.say(f'pid {pid}')

    def tell(self, job):
        """The child has ended: what it left running ends, and the bot hears how it ended. It stays a zombie."""
        self.poll.unregister(job.end)
        os.close(job.end)
        job.end = None
        job.kill()
        how = os.waitid(os.P_PID, job.pid, os.WEXITED | os.WNOWAIT)
        job.say(('code' if how.si_code == os.CLD_EXITED else 'signal') + f' {how.si_status}')

    def release(self, job):
        """The bot has let go of the job."""
        self.poll.unregister(job.channel)
        if job.end is not None:
            del self.ended[job.end]
            self.poll.unregister(job.end)
            os.close(job.end)
        job.kill()
        os.waitpid(job.pid, 0)
        job.channel.close()


class Job:
    """A child and the bot's interest in it."""

    def __init__(self, pid, channel):
        self.pid = pid
        self.channel = channel
        self.end = os.pidfd_open(pid)

    def say(self, line):
        try:
            self.channel.send(line.encode() + b'\n', socket.MSG_NOSIGNAL)
        except OSError:
            pass  # Nobody listens any more: the closed channel ends the job.

    def kill(self):
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except OSError:
            pass


# Modules of yt-dlp's extractors that links lead to most often.
EXTRACTORS = (
    'generic', 'youtube', 'twitter', 'reddit', 'tiktok', 'instagram', 'facebook', 'twitch', 'vimeo', 'streamable', 'bluesky',
    'imgur', 'soundcloud', 'dailymotion', 'tumblr', 'pinterest', 'bilibili', 'vk',
)


def prepare_yt_dlp():
    """Loads extractors, and rehearses what needs no network, so that patterns are compiled and modules loaded."""
    import yt_dlp
    for name in ('extractors', *EXTRACTORS):
        importlib.import_module('yt_dlp.extractor.' + name)
        yield
    yt_dlp.utils.unified_timestamp('Sat Nov 21 10:00:00 +0000 2026')
    yield
    yt_dlp.utils.system_identifier()  # Asks `file` and `uname` about the machine, and remembers it.
    yield
    options = yt_dlp.parse_options([
        '--ignore-config', '--no-plugin-dirs', '--no-cache-dir', '--quiet', '--no-warnings', '--simulate', '--no-progress',
        '--match-filters', '!is_live & !is_upcoming', '-I', '1:1', '--ies', 'twitter', '--merge-output-format', 'mp4/mkv',
        '-f', 'bv*[height<=1080]+ba/b[height<=1080]/bv*+ba/b', '-S', 'res,vcodec:h264,acodec:aac',
        '-o', '/nonexistent/%(autonumber)03d.%(ext)s', '--', 'https://x.com/i/status/1']).ydl_opts
    yield
    with yt_dlp.YoutubeDL(options) as downloader:
        file = {'url': 'https://video.twimg.com/1.mp4', 'width': 1280, 'height': 720, 'tbr': 800, 'ext': 'mp4'}
        downloader.process_ie_result({
            'id': '1', 'title': 'a', 'extractor': 'twitter', 'extractor_key': 'Twitter', 'timestamp': 1, 'duration': 1.5,
            'webpage_url': 'https://x.com/i/status/1', 'thumbnails': [{'url': 'https://pbs.twimg.com/1.jpg'}],
            'formats': [{**file, 'format_id': 'http-800'}, {**file, 'format_id': 'http-400', 'tbr': 400}],
        }, download=False)
        downloader.evaluate_outtmpl('%(.{id,live_status,is_live})j %()j %(filepath)j %(progress)j', {'id': '1'})
    yield


def prepare_gallery_dl():
    """Loads the extractors, which it asks one by one whether a link is theirs."""
    import gallery_dl
    for _ in gallery_dl.extractor._list_classes():
        yield
    for name in ('_strptime', 'sqlite3'):
        importlib.import_module(name)
        yield


PREPARE = {'yt_dlp': prepare_yt_dlp, 'gallery_dl': prepare_gallery_dl}


def become(module, parent, out, err, channel):
    """The child: turns into what a fresh process of the tool would be."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        return
    os.setpgid(0, 0)
    with channel.makefile('rb') as lines:
        line = lines.readline()
    if not line.endswith(b'\n'):
        return  # The bot thought better of it.
    nothing = os.open(os.devnull, os.O_RDONLY)
    for standard, descriptor in enumerate((nothing, out, err)):
        os.dup2(descriptor, standard)
    for descriptor in [int(name) for name in os.listdir('/proc/self/fd')]:
        if descriptor >= FIRST_OTHER:
            try:
                os.close(descriptor)
            except OSError:
                pass  # The one that listed them.
    job = json.loads(line)
    lower(resource.RLIMIT_CORE, 0)
    lower(resource.RLIMIT_FSIZE, job['file_bytes'])
    lower(resource.RLIMIT_DATA, job['memory_bytes'])
    os.nice(job['nice'])
    os.chdir(job['dir'])
    os.environ.clear()
    os.environ.update(job['env'])
    # What the standard library remembers of an environment.
    time.tzset()
    tempfile.tempdir = None
    sys.argv = [module, *job['args']]
    leave(run(module))


def lower(which, limit):
    if limit is not None:
        _, hard = resource.getrlimit(which)
        limit = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
        resource.setrlimit(which, (limit, limit))


def run(module):
    """As `python -m module`; returns the exit code."""
    try:
        runpy.run_module(module, run_name='__main__', alter_sys=True)
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            return end.code or 0
        print(end.code, file=sys.stderr)
        return 1
    except BaseException:
        sys.excepthook(*sys.exc_info())
        return 1
    return 0


def leave(code):
    """Ends the process like the interpreter does, without taking apart what the operating system frees at once."""
    try:
        threading._shutdown()
        atexit._run_exitfuncs()
    finally:
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except (OSError, ValueError):
                code = code or 120
        os._exit(code & 0xff)


def main():
    module = sys.argv[1]
    importlib.import_module(module)
    Parent(module).serve()


main()
