//! Makes sound files: copies what players know, encodes the rest as AAC in an M4A.

mod tags;

pub use self::tags::Tags;
use super::{
    probe::Audio,
    video::{budget::Sound, encoder},
    work::{Kit, Made, Share, size},
};
use crate::model::Result;

/// Tries at a corrected rate after the first.
const RETRIES: usize = 3;
const WHOLE: Share = Share { from: 0.0, to: 0.96 };

/// Copies the sound into an M4A.
pub(in crate::media) async fn copy_to_m4a(kit: &Kit<'_>, audio: &Audio) -> Result<Made> {
    let out = kit.work.join("copy.m4a");
    let args = kit.input().arg(format!("-map 0:{} -vn -sn -dn -c copy", audio.index)).m4a(&out);
    kit.make(args, out, WHOLE).await
}

/// Copies the sound into an MP3.
pub(in crate::media) async fn copy_to_mp3(kit: &Kit<'_>, audio: &Audio) -> Result<Made> {
    let out = kit.work.join("copy.mp3");
    let args =
        kit.input().arg(format!("-map 0:{} -vn -sn -dn -c copy -map_metadata -1 -f mp3", audio.index)).path(&out);
    kit.make(args, out, WHOLE).await
}

/// Encodes the sound, lower when it comes out too large, but not below what the operator allows by more than a tenth.
pub(in crate::media) async fn encode(kit: &Kit<'_>, audio: &Audio, sound: Sound) -> Result<Made> {
    let out = kit.work.join("sound.m4a");
    let mut sound = sound;
    for _ in 0..=RETRIES {
        let args = kit.input().arg(format!("-map 0:{} -vn -sn -dn", audio.index)).join(encoder(audio, sound)).m4a(&out);
        match kit.make(args, out.clone(), WHOLE).await? {
            Made::Over => {}
            other => return Ok(other),
        }
        let Some(limit) = kit.rules.limit else { break };
        let over = size(&out).await.max(limit + 1) as f64 / limit as f64;
        sound.kbps = sound.kbps / over * 0.98;
        if sound.kbps < f64::from(kit.rules.min_audio_kbps) * 0.9 {
            break;
        }
        tracing::info!(kbps = sound.kbps, "sound came out too large: trying lower");
    }
    Ok(Made::Over)
}
