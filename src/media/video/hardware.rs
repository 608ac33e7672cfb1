//! Encoders of the graphics hardware: found by a real encode, used where bits are plenty, given up at the first failure.
//!
//! They are fast and need more bits than x264 for the same picture, so they never meet a tight limit here. Whether one
//! works is not told by ffmpeg's list of encoders: the driver, the device and the right to open it matter, too.

use std::{path::Path, time::Duration};

use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use super::{Job, budget::Picture};
use crate::{
    media::{
        ffmpeg::{Args, Ended, Run, Runner},
        probe::Probe,
        work::Made,
    },
    model::{ExternalToolError, Result},
    settings::{Compression, Hardware, VideoCodec},
};

/// How long a test encode of one second may take: a driver that needs longer is stuck.
const PATIENCE: Duration = Duration::from_secs(10);
/// Frames of the test.
const FRAMES: u64 = 30;
/// Bytes that the test may write.
const TEST_BYTES: u64 = 8 << 20;
/// Of the bits there are, the share to aim at: in one pass no encoder lands on its rate.
const AIM: f64 = 0.92;
/// Bits that such an encoder takes for what x264 does with one.
const WORSE: f64 = 1.6;
/// Linux' first graphics device.
const DEVICE: &str = "/dev/dri/renderD128";

/// A way to reach an encoder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Family {
    Nvenc,
    Qsv,
    Vaapi,
    VideoToolbox,
}

impl Family {
    /// Those to try, best first.
    fn of(setting: Hardware) -> &'static [Family] {
        match setting {
            Hardware::Off => &[],
            Hardware::Auto if cfg!(target_os = "macos") => &[Family::VideoToolbox],
            Hardware::Auto => &[Family::Nvenc, Family::Qsv, Family::Vaapi],
            Hardware::Nvenc => &[Family::Nvenc],
            Hardware::Qsv => &[Family::Qsv],
            Hardware::Vaapi => &[Family::Vaapi],
            Hardware::VideoToolbox => &[Family::VideoToolbox],
        }
    }
}

/// An encoder in hardware.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::media) struct Encoder {
    family: Family,
    codec: VideoCodec,
}

impl Encoder {
    /// ffmpeg's name of it.
    pub(in crate::media) fn name(self) -> &'static str {
        match (self.family, self.codec) {
            (Family::Nvenc, VideoCodec::H264) => "h264_nvenc",
            (Family::Nvenc, VideoCodec::Hevc) => "hevc_nvenc",
            (Family::Nvenc, VideoCodec::Av1) => "av1_nvenc",
            (Family::Qsv, VideoCodec::H264) => "h264_qsv",
            (Family::Qsv, VideoCodec::Hevc) => "hevc_qsv",
            (Family::Qsv, VideoCodec::Av1) => "av1_qsv",
            (Family::Vaapi, VideoCodec::H264) => "h264_vaapi",
            (Family::Vaapi, VideoCodec::Hevc) => "hevc_vaapi",
            (Family::Vaapi, VideoCodec::Av1) => "av1_vaapi",
            (Family::VideoToolbox, VideoCodec::H264) => "h264_videotoolbox",
            (Family::VideoToolbox, VideoCodec::Hevc) => "hevc_videotoolbox",
            (Family::VideoToolbox, VideoCodec::Av1) => "av1_videotoolbox",
        }
    }

    /// Arguments before the inputs.
    pub(in crate::media) fn device(self) -> Args {
        match self.family {
            Family::Vaapi => Args::new().arg(format!("-vaapi_device {DEVICE}")),
            Family::Nvenc | Family::Qsv | Family::VideoToolbox => Args::new(),
        }
    }

    /// The end of the filter chain, after `format=yuv420p`.
    pub(in crate::media) fn upload(self) -> &'static str {
        match self.family {
            Family::Vaapi => "format=nv12,hwupload",
            Family::Qsv => "format=nv12",
            Family::Nvenc | Family::VideoToolbox => "format=yuv420p",
        }
    }

    /// The encoder with a variable rate of `bits` a second on average, in one pass.
    pub(in crate::media) fn args(self, bits: f64) -> Args {
        let bits = bits.max(50_000.0);
        let args = Args::new().arg(format!("-c:v {}", self.name()));
        let args = match self.family {
            Family::Nvenc => args.arg("-preset p6 -rc vbr -multipass qres"),
            Family::Qsv => args.arg("-preset slow"),
            Family::Vaapi => args.arg("-rc_mode VBR"),
            Family::VideoToolbox => args.arg("-allow_sw 0"),
        };
        let args = match (self.codec, self.family) {
            // What plays everywhere: see `plan`. NVENC and VideoToolbox take the level's name, the others ten times it.
            (VideoCodec::H264, Family::Nvenc | Family::VideoToolbox) => args.arg("-profile:v high -level:v 4.2"),
            (VideoCodec::H264, Family::Qsv | Family::Vaapi) => args.arg("-profile:v high -level:v 42"),
            // Apple's players know HEVC by this name only.
            (VideoCodec::Hevc, _) => args.arg("-tag:v hvc1"),
            (VideoCodec::Av1, _) => args,
        };
        args.arg(format!("-b:v {bits:.0} -maxrate {:.0} -bufsize {:.0}", bits * 1.5, bits * 2.0))
    }
}

/// What was found out about an encoder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HardwareCheck {
    /// ffmpeg's name of it.
    pub encoder: &'static str,
    /// Why it cannot be used; `None` when it works.
    pub fault: Option<String>,
}

/// The encoders that may be used, tried once.
#[derive(Debug)]
pub(in crate::media) struct Encoders {
    candidates: Vec<Encoder>,
    /// What came of trying them. `None`: not tried yet, or to be tried again.
    checked: Mutex<Option<Vec<HardwareCheck>>>,
}

impl Encoders {
    pub(in crate::media) fn new(settings: &Compression) -> Self {
        let of = |family: &Family| Encoder { family: *family, codec: settings.video_codec };
        Self { candidates: Family::of(settings.hardware).iter().map(of).collect(), checked: Mutex::new(None) }
    }

    /// The encoder to use, if one works. The first call tries them, which takes seconds.
    pub(in crate::media) async fn pick(&self, runner: &Runner) -> Option<Encoder> {
        let checks = self.check(runner).await;
        let mut both = self.candidates.iter().zip(checks);
        both.find(|(_, check)| check.fault.is_none()).map(|(encoder, _)| *encoder)
    }

    /// It has failed in the middle of a job, which may be the file's fault or the card's: it is tried again before it is
    /// used again.
    pub(in crate::media) async fn distrust(&self, encoder: Encoder, error: &ExternalToolError) {
        tracing::warn!(encoder = encoder.name(), %error, "the hardware encoder failed: going on in software");
        *self.checked.lock().await = None;
    }

    /// Tries those that may be used, until one works.
    pub(in crate::media) async fn check(&self, runner: &Runner) -> Vec<HardwareCheck> {
        // Held while they are tried: whoever comes meanwhile waits for the answer rather than trying, too.
        let mut checked = self.checked.lock().await;
        if let Some(checks) = &*checked {
            return checks.clone();
        }
        let mut checks = Vec::new();
        for encoder in &self.candidates {
            let fault = try_out(*encoder, runner).await.err();
            let works = fault.is_none();
            match &fault {
                None => tracing::info!(encoder = encoder.name(), "the hardware encoder works"),
                Some(fault) => tracing::info!(encoder = encoder.name(), %fault, "the hardware encoder does not work"),
            }
            checks.push(HardwareCheck { encoder: encoder.name(), fault });
            if works {
                break;
            }
        }
        checked.insert(checks).clone()
    }
}

/// Encodes one second in the sandbox and reads it back.
async fn try_out(encoder: Encoder, runner: &Runner) -> std::result::Result<(), String> {
    let dir = tempfile::tempdir().map_err(|error| error.to_string())?;
    let out = dir.path().join("test.mkv");
    let tried = tokio::time::timeout(PATIENCE, try_in(encoder, runner, dir.path(), &out)).await;
    match tried {
        Ok(Ok(())) => Ok(()),
        Ok(Err(fault)) => Err(fault),
        Err(_) => Err(format!("no second of video within {} seconds", PATIENCE.as_secs())),
    }
}

async fn try_in(encoder: Encoder, runner: &Runner, dir: &Path, out: &Path) -> std::result::Result<(), String> {
    let never = CancellationToken::new();
    let words = |error: crate::model::Error| error.operator_text().to_owned();
    let args = encoder
        .device()
        .arg(format!("-f lavfi -i testsrc2=size=1280x720:rate={FRAMES}:duration=1 -vf"))
        .one(format!("format=yuv420p,{}", encoder.upload()))
        .join(encoder.args(1e6))
        .arg("-f matroska")
        .path(out);
    let run = Run { args, dir, deadline: PATIENCE, file_bytes: Some(TEST_BYTES), on_tick: &mut |_| {}, told: None };
    match runner.run(run, &never).await.map_err(words)? {
        Ended::Well(_) => {}
        Ended::TooBig => return Err("a second of video has megabytes".into()),
        Ended::Badly(error) => return Err(last_line(&error.stderr)),
    }
    let json = runner.probe(out, dir, &never).await.map_err(words)?.map_err(|error| last_line(&error.stderr))?;
    let probe = Probe::read(&json).map_err(|error| error.to_string())?;
    let seconds = probe.duration.unwrap_or(0.0);
    match probe.video {
        Some(video) if (video.width, video.height) == (1280, 720) && seconds > 0.9 => Ok(()),
        _ => Err("what it made is not what it was given".into()),
    }
}

/// The end of what ffmpeg said, for an operator.
fn last_line(stderr: &str) -> String {
    let line = stderr.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or("it failed without a word");
    line.chars().take(200).collect()
}

impl Job<'_> {
    /// One pass in hardware, at no more than the `bits` a second there are and what the best quality takes (`need`, in
    /// x264's bits). `None`: it is software's to do.
    pub(super) async fn in_hardware(&self, picture: &Picture, bits: f64, need: f64) -> Result<Option<Made>> {
        let kit = self.kit;
        let Some(encoder) = kit.hardware.pick(kit.runner).await else { return Ok(None) };
        let out = kit.work.join("hardware.mp4");
        let filters = self.filtered(picture, &format!(",{}", encoder.upload()));
        let rate = encoder.args((bits * AIM).min(need * WORSE));
        let args = self.with_sound(encoder.device().join(kit.input()), filters.join(rate));
        kit.notes.attempt();
        match kit.make(args.mp4(&out), out, self.whole()).await? {
            Made::Failed(error) => {
                kit.hardware.distrust(encoder, &error).await;
                Ok(None)
            }
            Made::Over => {
                tracing::info!(encoder = encoder.name(), "hardware missed its rate: going on in software");
                Ok(None)
            }
            made @ Made::File(_) => {
                self.note_of(encoder.name(), picture, "vbr");
                Ok(Some(made))
            }
        }
    }
}
