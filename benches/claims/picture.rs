//! Pictures in process against the search for a quality as bots do it with ffmpeg, and, where it is installed, with Pillow
//! (`PYTHON` names another interpreter than `python3`): time, and likeness to the original at that size.

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Instant,
};

use boss_bot::{
    media::{FitReport, FitTarget, Media},
    net::Egress,
    settings::Settings,
    tools::Tools,
};
use tokio_util::sync::CancellationToken;

use crate::{Line, median};

const TURNS: usize = 3;

/// What others do: the best whole quality that fits, found by halving.
const PILLOW: &str = "
import io, sys, time
from PIL import Image
source, out, limit = sys.argv[1], sys.argv[2], int(sys.argv[3])
begun = time.perf_counter()
picture = Image.open(source)
picture.load()
low, high, best = 1, 95, None
while low <= high:
    quality = (low + high) // 2
    buffer = io.BytesIO()
    picture.save(buffer, 'JPEG', quality=quality, optimize=True)
    if buffer.tell() <= limit:
        best, low = buffer.getvalue(), quality + 1
    else:
        high = quality - 1
open(out, 'wb').write(best)
print(time.perf_counter() - begun)
";

/// Both pictures.
pub async fn measure() -> Vec<Line> {
    let dir = tempfile::tempdir().expect("a folder");
    let mut lines = Vec::new();
    for (name, width, height, limit) in
        [("24 MP JPEG to 10 MiB", 6000, 4000, 10 << 20), ("3 MP JPEG to 500 kB", 2000, 1500, 500_000)]
    {
        let source = dir.path().join("source.jpg");
        write(&source, width, height);
        lines.extend(compare(dir.path(), &source, name, limit, width == 6000).await);
    }
    lines
}

async fn compare(dir: &Path, source: &Path, name: &str, limit: u64, large: bool) -> Vec<Line> {
    let (mut theirs, mut pillows, mut ours) = (Vec::new(), Vec::new(), Vec::new());
    let (mut made, mut report) = (PathBuf::new(), FitReport::default());
    let (rival, pillow) = (dir.join("rival.jpg"), dir.join("pillow.jpg"));
    let has_pillow = python().arg("-c").arg("import PIL").output().is_ok_and(|ended| ended.status.success());
    // In turns, so that whatever else the machine does meets all.
    for _ in 0..TURNS {
        theirs.push(by_ffmpeg(source, &rival, limit));
        if has_pillow {
            pillows.push(by_pillow(source, &pillow, limit));
        }
        let begun = Instant::now();
        (made, report) = fit(dir, source, limit).await;
        ours.push(begun.elapsed().as_secs_f64());
    }
    let ours = median(ours);
    let fill = 100.0 * made.metadata().expect("our file").len() as f64 / limit as f64;
    let like = ssim(&made, source);
    // Said once in a run.
    let say = |text: &str| -> &'static str { Box::leak(format!("{name}: {text}").into_boxed_str()) };
    let (theirs, rivals) = (median(theirs), ssim(&rival, source));
    let mut lines = vec![
        Line {
            what: say("ffmpeg's search / ours"),
            measured: format!("{:.1}× ({theirs:.2} s, {ours:.2} s)", theirs / ours),
            goal: "≥ 3×",
            holds: Some(theirs / ours >= 3.0),
        },
        Line {
            what: say("SSIM of ffmpeg's, and ours"),
            measured: format!("{rivals:.4}, {like:.4}"),
            goal: "equal or better",
            holds: Some(like >= rivals),
        },
        Line {
            what: say("share of the limit, encodes"),
            measured: format!("{fill:.1} %, {}", report.attempts),
            goal: "96 to 100 %, at most 4",
            holds: Some((96.0..=100.0).contains(&fill) && report.attempts <= 4),
        },
    ];
    if large {
        lines.push(Line {
            what: say("time"),
            measured: format!("{ours:.2} s"),
            goal: "≤ 2.5 s",
            holds: Some(ours <= 2.5),
        });
    }
    if has_pillow {
        let (pillows, rivals) = (median(pillows), ssim(&pillow, source));
        lines.push(Line {
            what: say("Pillow's search / ours"),
            measured: format!("{:.1}× ({pillows:.2} s, {ours:.2} s)", pillows / ours),
            goal: "",
            holds: None,
        });
        lines.push(Line {
            what: say("SSIM of Pillow's, and ours"),
            measured: format!("{rivals:.4}, {like:.4}"),
            goal: "equal or better",
            holds: Some(like >= rivals),
        });
    }
    lines
}

/// Our way: everything that fitting a file does.
async fn fit(dir: &Path, source: &Path, limit: u64) -> (PathBuf, FitReport) {
    let settings = Settings::default();
    let egress = Egress::new(&settings.network).expect("the clients");
    let media = Media::new(settings.compression.clone(), Tools::new(&settings, egress).into());
    let file = media.describe(source, "source.jpg", 0).await.expect("the source");
    let out = dir.join("out");
    let fitted = media.fit(&file, FitTarget::at_most(limit), &out, &|_| {}, &CancellationToken::new()).await;
    let mut fitted = fitted.expect("a picture that fits");
    (fitted.files.remove(0).path, fitted.report)
}

fn python() -> Command {
    Command::new(std::env::var_os("PYTHON").unwrap_or_else(|| "python3".into()))
}

/// Seconds without the start of the interpreter.
fn by_pillow(source: &Path, out: &Path, limit: u64) -> f64 {
    let ended = python().args(["-c", PILLOW]).args([source, out]).arg(limit.to_string()).output().expect("Python");
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    String::from_utf8_lossy(&ended.stdout).trim().parse().expect("seconds")
}

/// The same by ffmpeg's own encoder, whose scale goes from 2 (best) to 31.
fn by_ffmpeg(source: &Path, out: &Path, limit: u64) -> f64 {
    let begun = Instant::now();
    let trial = out.with_extension("trial.jpg");
    let (mut low, mut high) = (2, 31);
    while low <= high {
        let scale = (low + high) / 2;
        let ended = Command::new("ffmpeg")
            .args(["-v", "error", "-y", "-i"])
            .arg(source)
            .args(["-pix_fmt", "yuvj420p", "-huffman", "optimal", "-q:v", &scale.to_string()])
            .arg(&trial)
            .status();
        assert!(ended.expect("ffmpeg").success());
        if trial.metadata().expect("a file").len() <= limit {
            std::fs::rename(&trial, out).expect("a file");
            high = scale - 1;
        } else {
            low = scale + 1;
        }
    }
    begun.elapsed().as_secs_f64()
}

/// How like the original a picture is, 1 for the same: by ffmpeg, at the original's size.
fn ssim(made: &Path, source: &Path) -> f64 {
    let graph = "[0:v]format=yuv444p[a];[1:v]format=yuv444p[b];[a][b]scale2ref=flags=lanczos[a][b];[a][b]ssim";
    let ended = Command::new("ffmpeg")
        .args(["-hide_banner", "-i"])
        .arg(made)
        .arg("-i")
        .arg(source)
        .args(["-lavfi", graph, "-f", "null", "-"])
        .output()
        .expect("ffmpeg");
    let text = String::from_utf8_lossy(&ended.stderr).into_owned();
    let all = text.rsplit("All:").next().and_then(|rest| rest.split_whitespace().next());
    all.and_then(|number| number.parse().ok()).unwrap_or_else(|| panic!("no SSIM: {text}"))
}

/// Writes something like a photograph: clouds of all sizes, a gradient, hard edges, a little grain.
fn write(path: &Path, width: u16, height: u16) {
    let mut seed = 7_u32;
    let mut random = move || {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (seed >> 8) as f32 / (1 << 24) as f32 - 0.5
    };
    let octaves: Vec<(usize, Vec<f32>)> = (0..9)
        .map(|octave| {
            let side = 4 << octave;
            (side, (0..(side + 2) * (side + 2)).map(|_| random()).collect())
        })
        .collect();
    let mut pixels = Vec::with_capacity(usize::from(width) * usize::from(height) * 3);
    for y in 0..height {
        for x in 0..width {
            let (u, v) = (f32::from(x) / f32::from(width), f32::from(y) / f32::from(height));
            let (mut cloud, mut weight) = (0.0, 120.0);
            for (side, grid) in &octaves {
                let (left, top) = (u * *side as f32, v * *side as f32);
                let (column, row) = (left as usize, top as usize);
                let (right, down) = (left.fract(), top.fract());
                let at = |column: usize, row: usize| grid[row * (side + 2) + column];
                let upper = at(column, row) * (1.0 - right) + at(column + 1, row) * right;
                let lower = at(column, row + 1) * (1.0 - right) + at(column + 1, row + 1) * right;
                cloud += weight * (upper * (1.0 - down) + lower * down);
                weight *= 0.68;
            }
            let edge = if (u * 7.0 + (v * 9.0).sin()).fract() < 0.3 { 40.0 } else { 0.0 };
            let grain = random() * 14.0;
            pixels.push((110.0 + cloud + edge + grain) as u8);
            pixels.push((100.0 + cloud * 0.8 + u * 40.0 + grain) as u8);
            pixels.push((120.0 + cloud * 0.6 + v * 60.0 - edge + grain) as u8);
        }
    }
    let mut encoder = jpeg_encoder::Encoder::new_file(path, 97).expect("a file");
    encoder.set_sampling_factor(jpeg_encoder::SamplingFactor::F_1_1);
    encoder.encode(&pixels, width, height, jpeg_encoder::ColorType::Rgb).expect("the source");
}
