//! Which of yt-dlp's formats to take, in its own language (`-f` and `-S`).
//!
//! The wish is: the best the asker wants; among equals what every Discord client plays (H.264 and AAC in mp4); and, when
//! there is an upload limit, what fits it without encoding, as long as it is still worth watching.

use crate::model::{Options, Quality};

/// Below this short side something larger that is encoded down looks better than what fits as it is.
const WORTH_WATCHING: u32 = 480;
/// Where an encode follows anyway, more lines than this cost time and bytes for nothing.
const ENOUGH_TO_ENCODE: u32 = 1080;

/// The value of `-f`.
pub(super) fn selector(options: &Options, max_bytes: u64, prefer_below: Option<u64>) -> String {
    let mut choices = Vec::new();
    if options.audio_only {
        if let Some(limit) = prefer_below {
            choices.extend(below(limit).map(|size| format!("ba{size}")));
        }
        choices.push("ba".to_owned());
        choices.push("b".to_owned());
        return choices.join("/");
    }
    if options.quality == Quality::Worst {
        return "wv*+wa/w/wv*".to_owned();
    }
    if let Some(limit) = prefer_below {
        let floor = options.quality.max_height().unwrap_or(WORTH_WATCHING).min(WORTH_WATCHING);
        // Together they stay below the limit: sound is seldom more than a fifth.
        let (sound, picture) = (limit / 5, limit - limit / 5);
        for (picture, sound) in below(picture).zip(below(sound)) {
            choices.push(format!("bv*{picture}[height>=?{floor}]+ba{sound}"));
        }
        choices.extend(below(limit).map(|size| format!("b{size}[height>=?{floor}]")));
    }
    // What is known to be larger than may be downloaded is not tried while there is anything smaller.
    let allowed = format!("[filesize<=?{max_bytes}][filesize_approx<=?{max_bytes}]");
    choices.push(format!("bv*{allowed}+ba"));
    choices.push(format!("b{allowed}"));
    choices.extend(["bv*+ba", "b", "bv*", "ba"].map(str::to_owned));
    choices.join("/")
}

/// Filters for a size, as told by the server or else as estimated.
fn below(limit: u64) -> std::array::IntoIter<String, 2> {
    [format!("[filesize<{limit}]"), format!("[filesize_approx<{limit}]")].into_iter()
}

/// The value of `-S`. `res` is the short side; plain progressive files come before segments, which load slower and tell
/// no exact size.
pub(super) fn order(options: &Options, prefer_below: Option<u64>) -> String {
    if options.audio_only {
        return "acodec:aac,abr,proto".to_owned();
    }
    let lines = match options.quality {
        Quality::Height(height) => format!("res:{height}"),
        Quality::Worst => "res".to_owned(),
        Quality::Best if prefer_below.is_some() => format!("res:{ENOUGH_TO_ENCODE}"),
        Quality::Best => "res".to_owned(),
    };
    format!("{lines},proto,vcodec:h264,fps,acodec:aac,ext:mp4:m4a")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_limit_the_best_is_taken() {
        let wish = Options::default();
        assert_eq!(
            selector(&wish, 100, None),
            "bv*[filesize<=?100][filesize_approx<=?100]+ba/b[filesize<=?100][filesize_approx<=?100]/bv*+ba/b/bv*/ba"
        );
        assert_eq!(order(&wish, None), "res,proto,vcodec:h264,fps,acodec:aac,ext:mp4:m4a");
    }

    #[test]
    fn with_a_limit_what_fits_comes_first() {
        let wish = Options::default();
        let choices = selector(&wish, 100, Some(10));
        assert!(choices.starts_with("bv*[filesize<8][height>=?480]+ba[filesize<2]/"), "{choices}");
        assert!(choices.contains("/b[filesize<10][height>=?480]/"), "{choices}");
        assert!(order(&wish, Some(10)).starts_with("res:1080,"));
    }

    #[test]
    fn a_wished_height_is_kept() {
        let wish = Options { quality: Quality::Height(360), ..Options::default() };
        assert!(order(&wish, None).starts_with("res:360,"));
        assert!(selector(&wish, 100, Some(10)).contains("[height>=?360]"));
        let wish = Options { quality: Quality::Worst, ..Options::default() };
        assert!(selector(&wish, 100, Some(10)).starts_with("wv*+wa"));
    }

    #[test]
    fn sound_only_takes_sound_if_it_comes_apart() {
        let wish = Options { audio_only: true, ..Options::default() };
        assert_eq!(selector(&wish, 100, None), "ba/b");
        assert_eq!(selector(&wish, 100, Some(10)), "ba[filesize<10]/ba[filesize_approx<10]/ba/b");
    }
}
