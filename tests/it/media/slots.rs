//! Encoders shared fairly between servers and people.

use std::{collections::HashSet, io::Write as _};

use boss_bot::media::Party;
use tokio::sync::Notify;

use super::*;

/// ffmpeg whose encodes of pictures wait until the test opens the gate.
const GATED: &str = r#"
case "$*" in *libx264*) read -r _ < "$HERE/gate" ;; esac
exec "$REAL" "$@""#;

const BUSY: Party = Party::Guild(1);
const QUIET: Party = Party::Guild(2);

/// A room with one encoder, and what opens its gate.
fn gated() -> (Room, std::fs::File) {
    let room = Room::behind(GATED, |settings| {
        settings.preset = Some("ultrafast".into());
        settings.max_concurrent = 1;
    });
    let gate = room.dir.path().join("gate");
    nix::unistd::mkfifo(&gate, nix::sys::stat::Mode::S_IRWXU).unwrap();
    // Open for both: neither side waits for the other to be there.
    let gate = std::fs::OpenOptions::new().read(true).write(true).open(gate).unwrap();
    (room, gate)
}

/// Lets every encode through from here on.
fn open(mut gate: &std::fs::File) {
    gate.write_all(&[b'\n'; 4000]).unwrap();
}

/// Something that must be encoded.
fn source() -> PathBuf {
    clip("busy.mkv", "-f lavfi -i testsrc2=s=320x180:r=25:d=2 -c:v mpeg4 -q:v 2")
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_videos_of_a_server_do_not_hold_up_the_one_of_another() {
    let (room, gate) = gated();
    let file = room.describe(&source()).await;
    let (waiting, ended) = (Mutex::new(Vec::new()), Mutex::new(Vec::new()));
    let (changed, queued, cancel) = (Notify::new(), Notify::new(), CancellationToken::new());
    let fit = async |party: Party, number: usize| {
        let target = FitTarget { party, ..FitTarget::at_most(60_000) };
        let dir = room.dir.path().join(format!("{party:?}-{number}"));
        let report = |progress| {
            if let FitProgress::Waiting { ahead } = progress {
                waiting.lock().unwrap().push((party, number, ahead));
                changed.notify_one();
            }
        };
        let fitted = room.media.fit(&file, target, &dir, &report, &cancel).await;
        ended.lock().unwrap().push(party);
        fitted
    };
    let who = |of: Party| {
        let waiting = waiting.lock().unwrap();
        waiting.iter().filter(|(party, ..)| *party == of).map(|(_, number, _)| *number).collect::<HashSet<_>>().len()
    };
    let many = futures_util::future::join_all((0..10).map(|number| fit(BUSY, number)));
    let one = async {
        queued.notified().await;
        fit(QUIET, 0).await
    };
    let doorkeeper = async {
        // One is at the gate, nine wait; then the other server comes; then the gate is opened.
        while who(BUSY) < 9 {
            changed.notified().await;
        }
        queued.notify_one();
        while who(QUIET) < 1 {
            changed.notified().await;
        }
        open(&gate);
    };
    let (many, one, ()) = tokio::join!(many, one, doorkeeper);
    assert!(many.iter().chain([&one]).all(Result::is_ok), "{many:?} {one:?}");
    let ended = ended.into_inner().unwrap();
    assert_eq!(ended.iter().position(|party| *party == QUIET), Some(1), "{ended:?}");
    let waiting = waiting.into_inner().unwrap();
    let heard =
        |of: Party| waiting.iter().filter(|(party, ..)| *party == of).map(|(.., ahead)| *ahead).collect::<Vec<_>>();
    // Nobody goes before the one; the last of the ten hears each step of the way.
    assert_eq!(heard(QUIET), [0]);
    assert!((0..=9).all(|ahead| heard(BUSY).contains(&ahead)), "{waiting:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_cancelled_while_waiting_gives_its_place_up_at_once() {
    let (room, gate) = gated();
    let file = room.describe(&source()).await;
    let (waits, gone) = (Notify::new(), Notify::new());
    let fit = async |number: u64, cancel: &CancellationToken| {
        let target = FitTarget { party: Party::User(number), ..FitTarget::at_most(60_000) };
        let report = |progress| {
            if matches!(progress, FitProgress::Waiting { .. }) {
                waits.notify_one();
            }
        };
        room.media.fit(&file, target, &room.dir.path().join(number.to_string()), &report, cancel).await
    };
    let tokens = [(); 2].map(|()| CancellationToken::new());
    let [one, two] = [0, 1].map(|number| {
        let (fit, cancel, gone) = (&fit, &tokens[number], &gone);
        async move {
            let ended = fit(number as u64, cancel).await;
            gone.notify_one();
            ended
        }
    });
    let doorkeeper = async {
        // One is at the gate, the other waits: nobody knows which. Both are cancelled, and a third comes.
        waits.notified().await;
        tokens.iter().for_each(CancellationToken::cancel);
        gone.notified().await;
        open(&gate);
        fit(2, &CancellationToken::new()).await
    };
    let (one, two, third) = tokio::join!(one, two, doorkeeper);
    assert_eq!([one, two].map(|ended| ended.unwrap_err().code().to_owned()), ["cancelled", "cancelled"]);
    assert!(third.is_ok(), "{third:?}");
}
