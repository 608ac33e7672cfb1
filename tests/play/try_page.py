#!/usr/bin/env python3
"""Tries the play page in a real browser: starts the example, types links into the page in headless Chromium, waits for
the media to play, and takes a picture. Needs chromium and python3, nothing else (it speaks to the browser by a pipe).

    cargo build --example play && python3 tests/play/try_page.py [picture.png]

Ends with 0 when everything played and nothing was left running.
"""

import base64
import json
import os
import pathlib
import queue
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
PATIENCE = 120  # seconds that anything on the page may take


class Browser:
    """Chromium at the other end of two pipes; messages are JSON, each ended by a zero byte."""

    def __init__(self, folder, served):
        self.served = served
        name = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
        if not name:
            sys.exit("chromium is not installed")
        to_read, self.to = os.pipe()
        self.back, to_write = os.pipe()

        def hand_over():
            # The browser expects its two pipes as descriptors 3 and 4.
            os.dup2(os.dup(to_read), 3)
            os.dup2(os.dup(to_write), 4)

        flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
                 "--disable-background-networking", "--disable-component-update", "--disable-sync",
                 "--mute-audio", "--autoplay-policy=no-user-gesture-required", "--hide-scrollbars",
                 "--remote-debugging-pipe", f"--user-data-dir={folder}", "--window-size=1280,860", "about:blank"]
        # Descriptors above 4 are closed for it, the two below are what it is handed.
        self.process = subprocess.Popen([name, *flags], preexec_fn=hand_over, pass_fds=(3, 4),
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL, start_new_session=True)
        os.close(to_read)
        os.close(to_write)
        self.answers = queue.Queue()
        self.count = 0
        self.session = None
        self.complaints = []
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self):
        rest = b""
        while chunk := os.read(self.back, 1 << 16):
            *whole, rest = (rest + chunk).split(b"\0")
            for message in map(json.loads, whole):
                if "id" in message:
                    self.answers.put(message)
                elif message.get("method") == "Runtime.exceptionThrown":
                    details = message["params"]["exceptionDetails"]
                    self.complaints.append(details.get("exception", {}).get("description") or details["text"])
                elif message.get("method") == "Log.entryAdded" and message["params"]["entry"]["level"] == "error":
                    self.complaints.append(message["params"]["entry"]["text"])

    def ask(self, method, **params):
        self.count += 1
        message = {"id": self.count, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.to, json.dumps(message).encode() + b"\0")
        while True:
            answer = self.answers.get(timeout=60)
            if answer["id"] == self.count:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]

    def open(self, url):
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Runtime", "Log", "Page"):
            self.ask(f"{domain}.enable")
        self.ask("Emulation.setDeviceMetricsOverride", width=1280, height=1170, deviceScaleFactor=1, mobile=False)
        self.ask("Page.navigate", url=url)

    def evaluate(self, script):
        answer = self.ask("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(answer["exceptionDetails"])
        return answer["result"].get("value")

    def until(self, what, script):
        """Waits until the script gives something true. The page itself watches for changes."""
        waited = f"""new Promise((done, fail) => {{
            const look = () => {{ const seen = ({script}); if (seen) {{ clearInterval(beat); watch.disconnect(); done(seen); }} }};
            const watch = new MutationObserver(look); watch.observe(document, {{subtree: true, childList: true, attributes: true}});
            const beat = setInterval(look, 200); setTimeout(() => fail(new Error("never")), {PATIENCE * 1000}); look();
        }})"""
        self.count += 1
        message = {"id": self.count, "sessionId": self.session, "method": "Runtime.evaluate",
                   "params": {"expression": waited, "awaitPromise": True, "returnByValue": True}}
        os.write(self.to, json.dumps(message).encode() + b"\0")
        answer = self.wait()
        if "exceptionDetails" in answer.get("result", {"exceptionDetails": 1}):
            page = self.evaluate("document.querySelector('#messages')?.innerText")
            raise AssertionError(f"the page never showed {what}; it shows:\n{page}\nand complained: {self.complaints}")
        return answer["result"]["result"].get("value")

    def wait(self):
        """The next answer, unless what serves the page has ended."""
        for _ in range(PATIENCE + 30):
            if self.served.process.poll() is not None:
                raise AssertionError("the example ended")
            try:
                return self.answers.get(timeout=1)
            except queue.Empty:
                pass
        raise AssertionError("the browser does not answer")

    def type(self, text):
        """Types as a person: into whatever has the focus, ended by Enter."""
        self.evaluate("document.querySelector('#entry input').focus()")
        self.ask("Input.insertText", text=text)
        for kind in ("keyDown", "keyUp"):
            self.ask("Input.dispatchKeyEvent", type=kind, key="Enter", code="Enter", windowsVirtualKeyCode=13,
                     text="\r" if kind == "keyDown" else "")

    def picture(self, path):
        data = self.ask("Page.captureScreenshot", format="png")["data"]
        # 256 colours are plenty for a page, and a quarter of the size.
        palette = "split[a][b];[a]palettegen[p];[b][p]paletteuse=dither=none"
        subprocess.run(["ffmpeg", "-v", "error", "-y", "-f", "png_pipe", "-i", "-", "-vf", palette, "-update", "1", path],
                       input=base64.b64decode(data), check=True)

    def close(self):
        try:
            os.killpg(self.process.pid, signal.SIGTERM)
            self.process.wait(10)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            self.process.kill()


class Play:
    """The example, running."""

    def __init__(self):
        binary = os.environ.get("PLAY_BINARY") or ROOT / "target/debug/examples/play"
        self.process = subprocess.Popen([binary], cwd=ROOT, stdout=subprocess.PIPE, text=True, start_new_session=True)
        self.url = None
        for line in self.process.stdout:
            print(line, end="")
            if line.startswith("open "):
                self.url = line.split()[1]
                break
        if not self.url:
            sys.exit("the example did not start")

    def children(self):
        with open(f"/proc/{self.process.pid}/task/{self.process.pid}/children") as listing:
            return [int(pid) for pid in listing.read().split()]

    def stop(self):
        """Ctrl-C; how long it took."""
        began = time.monotonic()
        self.process.send_signal(signal.SIGINT)
        code = self.process.wait(30)
        return code, time.monotonic() - began


def last_media(tag, ready):
    """A script: the last message's media elements of a kind, once all are loaded."""
    return f"""(() => {{
        const message = [...document.querySelectorAll('.message[data-author=Boss]')].pop();
        const all = message ? [...message.querySelectorAll('{tag}')] : [];
        return all.length && all.every(e => {ready}) && all.map(e => ({{file: e.dataset.file, width: e.videoWidth || e.naturalWidth}}));
    }})()"""


def main():
    picture = sys.argv[1] if len(sys.argv) > 1 else None
    play = Play()
    folder = tempfile.mkdtemp(prefix="play-browser-")
    browser = Browser(folder, play)
    try:
        browser.open(play.url)
        samples = browser.until("links to try", "document.querySelectorAll('#samples button').length && "
                                "Object.fromEntries([...document.querySelectorAll('#samples button')].map(b => [b.textContent, b.dataset.link]))")
        browser.until("the bot's commands", "commands.some(c => c.name === 'download')")

        browser.type("$download " + samples["an X post with four images"])
        pictures = browser.until("four pictures", last_media("img", "e.complete && e.naturalWidth"))
        assert len(pictures) == 4, pictures
        print("pictures:", pictures)

        browser.type("/download " + samples["an X video"])
        video = browser.until("a video", last_media("video", "e.readyState >= 2 && e.videoWidth"))
        assert len(video) == 1 and video[0]["width"] == 640, video
        print("video:", video)
        played = browser.evaluate("""(async () => {
            const video = [...document.querySelectorAll('video')].pop();
            video.muted = true; await video.play();
            await new Promise(done => { const look = () => video.currentTime > 1 ? done() : setTimeout(look, 50); look(); });
            video.pause(); return video.currentTime;
        })()""")
        print(f"played to {played:.2f} s")

        browser.type("/download " + samples["a deleted post"])
        said = browser.until("why there is nothing", "(() => { const m = [...document.querySelectorAll('.message[data-author=Boss]')].pop(); "
                             "return m.querySelector('.above')?.textContent.includes('/download') && !m.querySelector('.dots, video') && m.querySelector('.text')?.textContent; })()")
        print("deleted:", said)
        if picture:
            # A scene of its own, in another channel: a person reading the page sees one conversation from its beginning.
            browser.evaluate("document.querySelectorAll('#rail button')[1].click()")
            browser.until("an empty channel", "!document.querySelector('.message')")
            browser.type("$download " + samples["an X post with four images"])
            browser.until("four pictures", last_media("img", "e.complete && e.naturalWidth"))
            browser.type("/download " + samples["a direct mp4"])
            browser.until("a video", last_media("video", "e.readyState >= 2 && e.videoWidth"))
            browser.type("/download " + samples["a deleted post"])
            browser.until("a sentence", "[...document.querySelectorAll('.text')].pop().textContent.includes('exist')")
            browser.evaluate("document.activeElement.blur()")
            browser.picture(picture)
            print("picture:", picture, os.path.getsize(picture), "bytes")
        assert not browser.complaints, browser.complaints
    finally:
        browser.close()
        children = play.children() if play.process.poll() is None else []
        code, took = play.stop()
        shutil.rmtree(folder, ignore_errors=True)
    print(f"ended with {code} after {took:.1f} s")
    assert code == 0, code
    assert children, "the bot ran"
    left = [pid for pid in children if os.path.exists(f"/proc/{pid}")]
    assert not left, f"left running: {left}"


if __name__ == "__main__":
    main()
