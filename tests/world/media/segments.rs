//! Segmented DASH: the same video described in every way that segments are listed.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::{FPS, ffmpeg, make, picture, run, tone};

/// Names of the manifests in a [`segmented`] folder: each describes the same video by segments of its own.
pub const MANIFESTS: [&str; 4] = ["number.mpd", "time.mpd", "list.mpd", "ranges.mpd"];

/// Makes (or finds) a folder of 6 s of 640 × 360 (and of 320 × 180) with sound in segments of 2 s. `number.mpd`:
/// SegmentTemplate with `$Number$` and a duration; `time.mpd`: with `$Time$` and a timeline; `list.mpd`: SegmentList;
/// `ranges.mpd`: SegmentList of byte ranges of one file.
pub fn segmented(seed: u32) -> PathBuf {
    make(&format!("segmented-dash-{seed}"), |folder| {
        fs::create_dir_all(folder).expect("a folder");
        for (size, name) in [((640, 360), "high.mp4"), ((320, 180), "low.mp4")] {
            let mut ffmpeg = ffmpeg();
            ffmpeg.args(["-f", "lavfi", "-i", &picture(seed, size.0, size.1, false), "-t", "6"]);
            ffmpeg.args(["-pix_fmt", "yuv420p", "-g", &FPS.to_string(), "-c:v", "libx264", "-preset", "ultrafast"]);
            run(ffmpeg.arg(folder.join(name)));
        }
        let mut ffmpeg = ffmpeg();
        // A little shorter: ffmpeg would put the encoder's priming into a fourth segment that the manifests do not tell.
        ffmpeg.args(["-f", "lavfi", "-i", &tone(seed), "-t", "5.9", "-c:a", "aac", "-b:a", "128k"]);
        run(ffmpeg.arg(folder.join("sound.m4a")));
        for (name, way, segment) in [
            ("number", &["-use_template", "1", "-use_timeline", "0"][..], "$Number%05d$"),
            ("time", &["-use_template", "1", "-use_timeline", "1"], "$Time$"),
            ("list", &["-use_template", "0", "-use_timeline", "0"], "$Number$"),
            ("ranges", &["-single_file", "1"], ""),
        ] {
            cut(folder, name, way, segment);
        }
        for source in ["high.mp4", "low.mp4", "sound.m4a"] {
            fs::remove_file(folder.join(source)).expect("the source");
        }
    })
}

fn cut(folder: &Path, name: &str, way: &[&str], segment: &str) {
    let mut ffmpeg = ffmpeg();
    ffmpeg.current_dir(folder).args(["-i", "high.mp4", "-i", "low.mp4", "-i", "sound.m4a"]);
    ffmpeg.args(["-map", "0:v", "-map", "1:v", "-map", "2:a", "-c", "copy", "-f", "dash", "-seg_duration", "2"]);
    ffmpeg.args(["-adaptation_sets", "id=0,streams=v id=1,streams=a"]).args(way);
    if segment.is_empty() {
        ffmpeg.args(["-single_file_name", &format!("{name}-$RepresentationID$.mp4")]);
    } else {
        ffmpeg.args(["-init_seg_name", &format!("{name}-$RepresentationID$-init.mp4")]);
        ffmpeg.args(["-media_seg_name", &format!("{name}-$RepresentationID$-{segment}.m4s")]);
    }
    run(ffmpeg.arg(format!("{name}.mpd")));
    // ffmpeg names the sound's first segment by its priming, before 0, but lists it at 0.
    for entry in fs::read_dir(folder).expect("the folder") {
        let path = entry.expect("an entry").path();
        let file = path.file_name().expect("a name").to_string_lossy().into_owned();
        if let Some((before, _)) = file.split_once("--") {
            fs::rename(&path, folder.join(format!("{before}-0.m4s"))).expect("the rename");
        }
    }
}
