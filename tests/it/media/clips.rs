//! Makes the clips, once.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

/// Makes `name` with `make` unless it is there already. Other tests may do the same at the same time: the last one wins,
/// with the same bytes.
pub fn made(name: &str, make: impl FnOnce(&Path)) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("clips-1");
    let path = dir.join(name);
    if !path.exists() {
        std::fs::create_dir_all(&dir).unwrap();
        let own = tempfile::tempdir_in(&dir).unwrap();
        let making = own.path().join(name);
        make(&making);
        std::fs::rename(&making, &path).unwrap();
    }
    path
}

/// Runs ffmpeg; `args` are split at blanks.
pub fn ffmpeg(args: &str, out: &Path) {
    let ended = Command::new("ffmpeg")
        .args(["-hide_banner", "-nostdin", "-y", "-v", "error"])
        .args(args.split_ascii_whitespace())
        .arg(out)
        .output()
        .unwrap();
    assert!(ended.status.success(), "ffmpeg {args}: {}", String::from_utf8_lossy(&ended.stderr));
}
