//! Stories about platforms, one file each.

mod bilibili;
mod bluesky;
mod dailymotion;
mod facebook;
mod imgur;
mod instagram;
mod mastodon;
mod pinterest;
mod soundcloud;
mod streamable;
mod threads;
mod tiktok;
mod tumblr;
mod twitch;
mod vimeo;
mod vk;
mod youtube;

use std::path::PathBuf;

use boss_bot::model::Result;

use crate::world::media;

/// The code of a failure.
fn code<T>(result: Result<T>) -> &'static str {
    result.err().expect("a failure").code()
}

/// SHA-256 of files, in order.
fn hashes(paths: &[PathBuf]) -> Vec<String> {
    paths.iter().map(|path| media::sha256(path)).collect()
}
