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
