//! Models of the platforms: posts that stories place, and the answers that our extractors, yt-dlp and gallery-dl read.
//!
//! Each model knows its own hosts and says `None` to every other request. The shapes are those the installed yt-dlp and
//! gallery-dl ask for and read; the values are made up here.

pub mod bilibili;
pub mod bluesky;
pub mod dailymotion;
pub mod facebook;
pub mod imgur;
pub mod instagram;
pub mod mastodon;
pub mod pinterest;
pub mod reddit;
pub mod soundcloud;
pub mod streamable;
pub mod threads;
pub mod tiktok;
pub mod tumblr;
pub mod twitch;
pub mod vimeo;
pub mod vk;
pub mod x;
pub mod youtube;

use std::sync::atomic::{AtomicU64, Ordering};

use chrono::{DateTime, TimeZone, Utc};

pub use facebook::{FacebookFate, FacebookVideo};
pub use instagram::{Access, Instagram, InstagramItem, InstagramPost};
pub use reddit::{Fate, GalleryItem, Reddit, RedditContent, RedditPost};
pub use threads::{ThreadsFate, ThreadsPost};
pub use tiktok::{TikTokFate, TikTokPost};
pub use x::{Gone, Tweet, TweetMedia, X};
pub use youtube::{Playability, YouTube, YouTubeVideo};

use super::web::{Reply, Request};

/// Declares the platforms that stand on the web: a field each, in the order in which they are asked.
macro_rules! sites {
    ($($name:ident: $model:ty,)*) => {
        /// Every platform's model.
        #[derive(Clone, Default)]
        pub struct Sites {
            $(
                /// The model of the platform of this name.
                pub $name: $model,
            )*
        }

        impl Sites {
            /// What the first platform that knows the host answers.
            pub fn answer(&self, request: &Request) -> Option<Reply> {
                None$(.or_else(|| self.$name.answer(request)))*
            }
        }
    };
}

sites! {
    x: x::X,
    reddit: reddit::Reddit,
    youtube: youtube::YouTube,
    instagram: instagram::Instagram,
    bilibili: bilibili::Bilibili,
    bluesky: bluesky::Bluesky,
    dailymotion: dailymotion::Dailymotion,
    facebook: facebook::Facebook,
    imgur: imgur::Imgur,
    mastodon: mastodon::Mastodon,
    pinterest: pinterest::Pinterest,
    soundcloud: soundcloud::Soundcloud,
    streamable: streamable::Streamable,
    threads: threads::Threads,
    tiktok: tiktok::Tiktok,
    tumblr: tumblr::Tumblr,
    twitch: twitch::Twitch,
    vimeo: vimeo::Vimeo,
    vk: vk::Vk,
}

/// The day on which everything was posted, unless a story says otherwise.
pub fn posted() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 1, 5, 12, 0, 0).single().expect("a day")
}

/// Numbers that never repeat within a process: ids, names of files.
fn next() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// A number as a name of `length` letters of the given alphabet, different for different numbers (almost surely).
fn name_of(number: u64, length: usize, alphabet: &[u8]) -> String {
    let letters = (0..length as u64).map(|place| {
        // SplitMix64: neighbours do not look alike.
        let mut mixed = number.wrapping_mul(64).wrapping_add(place).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        alphabet[((mixed ^ (mixed >> 31)) % alphabet.len() as u64) as usize]
    });
    String::from_utf8(letters.collect()).expect("an ASCII alphabet")
}

const LOWER: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789";
const MIXED: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
