//! Models of the platforms: posts that stories place, and the answers that our extractors, yt-dlp and gallery-dl read.
//!
//! Each model knows its own hosts and says `None` to every other request. The shapes are those the installed yt-dlp and
//! gallery-dl ask for and read; the values are made up here.

mod instagram;
mod reddit;
mod x;
mod youtube;

use std::sync::atomic::{AtomicU64, Ordering};

use chrono::{DateTime, TimeZone, Utc};

pub use instagram::{Access, Instagram, InstagramItem, InstagramPost};
pub use reddit::{Fate, GalleryItem, Reddit, RedditContent, RedditPost};
pub use x::{Gone, Tweet, TweetMedia, X};
pub use youtube::{Playability, YouTube, YouTubeVideo};

use super::web::{Reply, Request};

/// The day on which everything was posted, unless a story says otherwise.
pub fn posted() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 1, 5, 12, 0, 0).single().expect("a day")
}

/// Numbers that never repeat within a process: ids, names of files.
fn next() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// A number as a name of `length` letters and digits of the given alphabet, different for different numbers.
fn name_of(number: u64, length: usize, alphabet: &[u8]) -> String {
    // Multiplied by an odd constant, so that neighbours do not look alike.
    let mut rest = number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let base = alphabet.len() as u64;
    let mut name = Vec::new();
    for _ in 0..length {
        name.push(alphabet[(rest % base) as usize]);
        rest = rest / base + number.wrapping_mul(0x2545_F491);
    }
    String::from_utf8(name).expect("an ASCII alphabet")
}

const LOWER: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789";
const MIXED: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
