//! Hardware encoders: tried by a real encode, used where bits are plenty, replaced when they fail.
//!
//! No machine that runs these tests needs such hardware: where there is to be some, a script stands in for ffmpeg on a
//! machine with an NVIDIA card. It is the real ffmpeg, whose `h264_nvenc` is x264.

use boss_bot::settings::Hardware;

use super::*;

/// ffmpeg on a machine with a card. With a file `broken` beside it the card dies at the end of each encode; each encode
/// by the card leaves a mark.
const CARD: &str = r#"
hardware=
set -- "$@" --end--
while [ "$1" != --end-- ]; do
    case "$1" in
        h264_nvenc) hardware=1; set -- "$@" libx264 ;;
        p6) set -- "$@" veryfast ;;
        -rc | -multipass) shift ;;
        *) set -- "$@" "$1" ;;
    esac
    shift
done
shift
if [ -n "$hardware" ]; then
    ln -s used "$HERE/card-$$"
    if [ -e "$HERE/broken" ]; then
        "$REAL" "$@"
        echo "[h264_nvenc] CUDA_ERROR_LAUNCH_FAILED" >&2
        exit 187
    fi
fi
exec "$REAL" "$@""#;

fn with_card(hardware: Hardware) -> Room {
    Room::behind(CARD, |settings| {
        settings.preset = Some("veryfast".into());
        settings.hardware = hardware;
    })
}

/// How often the card was used.
fn uses(room: &Room) -> usize {
    let entries = std::fs::read_dir(room.dir.path()).unwrap().flatten();
    entries.filter(|entry| entry.file_name().to_string_lossy().starts_with("card-")).count()
}

/// Something that must be encoded.
fn source() -> PathBuf {
    clip("plenty.mkv", "-f lavfi -i testsrc2=s=640x360:r=25:d=3 -f lavfi -i sine=d=3 -c:v mpeg4 -q:v 2 -c:a ac3")
}

#[tokio::test]
async fn hardware_that_is_not_there_is_found_out_and_not_used() {
    let room = Room::with(|settings| {
        settings.preset = Some("veryfast".into());
        settings.hardware = Hardware::Nvenc;
    });
    let checks = room.media.hardware().await;
    assert_eq!(checks.iter().map(|check| check.encoder).collect::<Vec<_>>(), ["h264_nvenc"]);
    if !Path::new("/dev/nvidiactl").exists() {
        let fault = checks[0].fault.as_deref().unwrap();
        assert!(!fault.is_empty() && fault.len() <= 200, "{fault}");
        let (_, report) = fitted(&room, 10 * MIB).await;
        assert_ne!(report.preset.as_deref(), Some("h264_nvenc"));
    }
    let off = Room::with(|settings| settings.hardware = Hardware::Off);
    assert!(off.media.hardware().await.is_empty());
}

async fn fitted(room: &Room, limit: u64) -> (Streams, boss_bot::media::FitReport) {
    let fitted = room.fit_all(&source(), FitTarget::at_most(limit)).await.unwrap();
    let made = &fitted.files[0];
    let streams = Streams::of(&made.path);
    streams.assert_plays_inline(made, Some(limit));
    assert!((streams.duration() - 3.0).abs() < 0.2, "{}", streams.duration());
    (streams, fitted.report)
}

#[tokio::test]
async fn a_card_that_works_encodes_what_has_bits_to_spare() {
    let room = with_card(Hardware::Auto);
    let checks = room.media.hardware().await;
    assert!(checks.iter().any(|check| check.encoder == "h264_nvenc" && check.fault.is_none()), "{checks:?}");
    let tried = uses(&room);
    let (_, report) = fitted(&room, 10 * MIB).await;
    assert_eq!(report.preset.as_deref(), Some("h264_nvenc"), "{report:?}");
    assert_eq!(uses(&room), tried + 1);
    // Where every bit counts, software is better.
    let (_, report) = fitted(&room, 60_000).await;
    assert_ne!(report.preset.as_deref(), Some("h264_nvenc"), "{report:?}");
    assert_eq!(uses(&room), tried + 1);
}

#[tokio::test]
async fn a_card_that_is_not_asked_for_is_not_touched() {
    let room = with_card(Hardware::Off);
    fitted(&room, 10 * MIB).await;
    assert_eq!(uses(&room), 0);
}

#[tokio::test]
async fn a_card_that_dies_in_the_middle_is_replaced_by_software() {
    let room = with_card(Hardware::Nvenc);
    assert_eq!(room.media.hardware().await[0].fault, None);
    std::fs::write(room.dir.path().join("broken"), "").unwrap();
    let tried = uses(&room);
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt().with_writer(log.clone()).with_ansi(false).finish();
    let guard = tracing::subscriber::set_default(subscriber);
    let (_, report) = fitted(&room, 10 * MIB).await;
    drop(guard);
    assert_ne!(report.preset.as_deref(), Some("h264_nvenc"), "{report:?}");
    assert_eq!(uses(&room), tried + 1);
    let text = log.text();
    assert!(text.contains("going on in software") && text.contains("CUDA_ERROR_LAUNCH_FAILED"), "{text}");
    // It is tried once more before it is used once more.
    for _ in 0..2 {
        fitted(&room, 10 * MIB).await;
        assert_eq!(uses(&room), tried + 2);
    }
}

#[tokio::test]
async fn a_card_that_does_not_start_is_found_out_at_once() {
    let room = with_card(Hardware::Nvenc);
    std::fs::write(room.dir.path().join("broken"), "").unwrap();
    let checks = room.media.hardware().await;
    assert!(checks[0].fault.as_deref().unwrap().contains("CUDA_ERROR_LAUNCH_FAILED"), "{checks:?}");
    let tried = uses(&room);
    fitted(&room, 10 * MIB).await;
    assert_eq!(uses(&room), tried);
}
