//! Signals: the first SIGTERM or SIGINT asks everything to end, the second ends the program at once.

use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::Exit;

/// How long an orderly end may take. The promise is 10 s from the signal to the end of the process.
pub(super) const DEADLINE: Duration = Duration::from_secs(9);

/// A token that the first signal fires. After it the program ends within [`DEADLINE`], whatever still hangs, and at once
/// on a second signal.
pub(super) fn on_signal() -> std::io::Result<CancellationToken> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let stop = CancellationToken::new();
    let token = stop.clone();
    tokio::spawn(async move {
        let mut next = async || {
            tokio::select! {
                _ = terminate.recv() => "SIGTERM",
                _ = interrupt.recv() => "SIGINT",
            }
        };
        let name = next().await;
        tracing::info!(signal = name, "stopping");
        token.cancel();
        tokio::select! {
            _ = next() => eprintln!("boss-bot: ended at once by a second signal"),
            () = tokio::time::sleep(DEADLINE) => eprintln!("boss-bot: ended after {DEADLINE:?} with work unfinished"),
        }
        // Children die with us: each has asked the kernel for that.
        std::process::exit(Exit::Cancelled as i32);
    });
    Ok(stop)
}
