//! What is opened while a file is fitted, and how much memory that takes: the real binary, watched from outside.
//!
//! `strace` sees every file that the bot, ffprobe and ffmpeg open. Beside the system's own there may be nothing but the
//! file to fit, the folder of the result and the folder for temporary files.

use std::{
    os::unix::fs::symlink,
    process::{Command, Output},
};

use super::*;
use crate::world::bot::binary;

/// Where the system keeps what programs are made of.
const SYSTEM: &[&str] =
    &["/usr/", "/lib/", "/lib64/", "/bin/", "/etc/", "/proc/", "/sys/", "/dev/null", "/dev/urandom", "/dev/random"];
/// Calls that open, make, move or remove something; looking at names is no harm.
const CALLS: &str = "open,openat,openat2,creat,rename,renameat,renameat2,link,linkat,symlink,symlinkat,unlink,unlinkat,\
                     mkdir,mkdirat,truncate,execve,execveat";

/// A folder with a place for inputs, one for results, one for temporary files and one to stand in.
struct Cage(tempfile::TempDir);

impl Cage {
    fn new() -> Self {
        let dir = tempfile::Builder::new().prefix("boss-bot-cage-").tempdir().unwrap();
        for name in ["in", "out", "tmp", "work"] {
            std::fs::create_dir(dir.path().join(name)).unwrap();
        }
        Self(dir)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().canonicalize().unwrap().join(name)
    }

    fn holds(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path("in").join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    /// `boss-bot fit` on an input, by way of `wrapper`.
    fn fit(&self, wrapper: &[&str], input: &Path, limit: u64) -> Output {
        let mut all: Vec<std::ffi::OsString> = wrapper.iter().map(Into::into).collect();
        all.extend([binary().into(), "fit".into(), input.into(), self.path("out").into()]);
        all.extend(["--max-size".into(), limit.to_string().into()]);
        Command::new(&all[0])
            .args(&all[1..])
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("TMPDIR", self.path("tmp"))
            .env("COMPRESSION_FFMPEG_PRESET", "ultrafast")
            .current_dir(self.path("work"))
            .output()
            .unwrap()
    }

    /// Every path that was opened, made, moved or removed while `input` was fitted, whether it worked or not.
    fn opened(&self, input: &Path, limit: u64) -> (Output, Vec<PathBuf>) {
        let log = self.path("strace.log");
        let trace = format!("trace={CALLS}");
        let ended = self.fit(
            &["strace", "-f", "-y", "-qq", "-s", "4096", "-e", &trace, "-o", log.to_str().unwrap()],
            input,
            limit,
        );
        let log = std::fs::read_to_string(log)
            .unwrap_or_else(|_| panic!("strace: {}", String::from_utf8_lossy(&ended.stderr)));
        assert!(log.contains("ffprobe") || log.contains("boss-bot"), "strace saw nothing");
        let missing = |line: &&str| !line.contains("ENOENT");
        (ended, log.lines().filter(missing).flat_map(paths).collect())
    }
}

/// The paths in a line of strace: `openat(AT_FDCWD</cwd>, "name", …) = 3</cwd/name>`.
fn paths(line: &str) -> Vec<PathBuf> {
    let Some((_, arguments)) = line.split_once('(') else { return Vec::new() };
    let executes = line.contains("execve");
    let folder = arguments
        .split_once('<')
        .filter(|(before, _)| !before.contains('"'))
        .and_then(|(_, rest)| rest.split_once('>'));
    let folder = folder.map_or_else(PathBuf::new, |(folder, _)| folder.into());
    let named = arguments.split('"').skip(1).step_by(2);
    // A program's arguments are no files.
    named.take(if executes { 1 } else { 2 }).filter(|name| !name.is_empty()).map(|name| folder.join(name)).collect()
}

fn trespasses(cage: &Cage, input: &Path, opened: &[PathBuf]) -> Vec<PathBuf> {
    let own = [cage.path("out"), cage.path("tmp"), cage.path("work")];
    let allowed = |path: &Path| {
        path == input
            || path == binary()
            || path == Path::new("/")
            || own.iter().any(|own| path.starts_with(own))
            || SYSTEM.iter().any(|system| path.starts_with(system.trim_end_matches('/')))
    };
    opened.iter().filter(|path| !allowed(path)).cloned().collect()
}

#[test]
fn whatever_is_fitted_no_file_is_touched_but_it_and_its_result() {
    let cage = Cage::new();
    let plain = clip(
        "cage.mp4",
        "-f lavfi -i testsrc2=s=320x180:r=25:d=2 -f lavfi -i sine=d=2 -c:v libx264 -preset ultrafast -pix_fmt yuv420p -c:a aac",
    );
    let secret = cage.path("in").join("secret.ts");
    std::fs::copy(clip("secret.ts", "-f lavfi -i testsrc2=s=320x180:r=25:d=2 -c:v libx264 -preset ultrafast"), &secret)
        .unwrap();
    let attached = clip(
        "cage-attached.mkv",
        &format!(
            "-i {} -c copy -attach {} -metadata:s:t mimetype=video/mp2t -metadata:s:t filename=/etc/passwd",
            plain.display(),
            secret.display()
        ),
    );
    let hls = |target: &str| format!("#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:2,\n{target}\n#EXT-X-ENDLIST\n");
    let secret_name = secret.display().to_string();
    let media = std::fs::read(&plain).unwrap();
    let linked = cage.path("in").join("link.mp4");
    symlink(&secret, &linked).unwrap();
    let svg = format!(r#"<svg xmlns="http://www.w3.org/2000/svg"><image href="file://{secret_name}"/></svg>"#);
    let inputs = [
        (cage.holds("good.mp4", &media), true),
        (cage.holds("-i concat:secret.ts|x.mp4", &media), true),
        (cage.holds("http:%d.mp4", &media), true),
        (cage.holds("attached.mkv", &std::fs::read(&attached).unwrap()), true),
        (cage.holds("hls-path.mp4", hls(&secret_name).as_bytes()), false),
        (cage.holds("hls-url.mp4", hls(&format!("file://{secret_name}")).as_bytes()), false),
        (cage.holds("hls-name.mp4", hls("secret.ts").as_bytes()), false),
        (cage.holds("concat.mp4", format!("ffconcat version 1.0\nfile '{secret_name}'\n").as_bytes()), false),
        (cage.holds("concat-name.mp4", b"ffconcat version 1.0\nfile secret.ts\n"), false),
        (cage.holds("picture.svg", svg.as_bytes()), false),
        (cage.holds("words.mp4", secret_name.as_bytes()), false),
        (cage.holds("sdp.mp4", b"v=0\no=- 0 0 IN IP4 127.0.0.1\nc=IN IP4 127.0.0.1\nm=video 5004 RTP/AVP 96\n"), false),
    ];
    for (input, good) in &inputs {
        // One that only looks, one that must encode.
        for limit in [10 * MIB, 60_000] {
            let (ended, opened) = cage.opened(input, limit);
            let said = String::from_utf8_lossy(&ended.stderr).into_owned();
            assert_eq!(ended.status.success(), *good, "{}: {said}", input.display());
            assert!(opened.contains(input), "strace did not see that {} was read: {opened:#?}", input.display());
            let trespasses = trespasses(&cage, input, &opened);
            assert!(trespasses.is_empty(), "{}: {trespasses:#?}", input.display());
            let left = std::fs::read_dir(cage.path("tmp")).unwrap().next();
            assert!(left.is_none(), "{}: {left:?}", input.display());
        }
    }
    // What the asker names is followed; the watch itself would have noticed.
    let (_, opened) = cage.opened(&linked, 10 * MIB);
    assert!(opened.contains(&linked) || opened.contains(&secret), "{opened:#?}");
    assert_eq!(trespasses(&cage, Path::new("/nowhere"), std::slice::from_ref(&secret)), std::slice::from_ref(&secret));
}

/// Runs its arguments and says the most memory that one of them, or of their children, had: in KiB.
const MEASURE: &str = "import resource, subprocess, sys\n\
    ended = subprocess.run(sys.argv[1:])\n\
    print('peak', resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)\n\
    sys.exit(ended.returncode)";

/// 20,000 × 20,000 pixels of black, which ffmpeg refuses to make.
const LARGE_PNG: &str = "import struct, sys, zlib\n\
    side = 20000\n\
    def chunk(kind, data):\n\
    \x20   return struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))\n\
    packer = zlib.compressobj(1)\n\
    rows = b''.join(packer.compress(bytes(side + 1)) for _ in range(side)) + packer.flush()\n\
    with open(sys.argv[1], 'wb') as out:\n\
    \x20   out.write(b'\\x89PNG\\r\\n\\x1a\\n' + chunk(b'IHDR', struct.pack('>IIBBBBB', side, side, 8, 0, 0, 0, 0)))\n\
    \x20   out.write(chunk(b'IDAT', rows) + chunk(b'IEND', b''))\n";

#[test]
fn large_pictures_take_no_more_than_800_mb() {
    let cage = Cage::new();
    let film = clip(
        "cage-4k.mp4",
        "-f lavfi -i testsrc2=s=3840x2160:r=30:d=1.5 -c:v libx264 -preset ultrafast -crf 30 -pix_fmt yuv420p",
    );
    let png = clips::made("cage-20000.png", |path| {
        let ended = Command::new("python3").args(["-c", LARGE_PNG]).arg(path).status().unwrap();
        assert!(ended.success());
    });
    let wide = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/media/wide.mp4");
    for (input, limit, good) in [(film, 300_000, true), (png, MIB, false), (wide, 10_000, false)] {
        let ended = cage.fit(&["python3", "-c", MEASURE], &input, limit);
        let out = String::from_utf8_lossy(&ended.stdout).into_owned();
        assert_eq!(
            ended.status.success(),
            good,
            "{}: {out} {}",
            input.display(),
            String::from_utf8_lossy(&ended.stderr)
        );
        let peak: u64 = out.lines().find_map(|line| line.strip_prefix("peak ")).unwrap().parse().unwrap();
        println!("{}: {} MB", input.display(), peak / 1024);
        assert!(peak < 800 << 10, "{}: {} MB", input.display(), peak / 1024);
    }
}
