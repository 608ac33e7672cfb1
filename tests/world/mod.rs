//! The test world: stand-ins for Discord and for the web, driven and read by stories from outside the bot.
//!
//! Also used by `examples/` and `benches/` (by `#[path]`), so not every user calls everything.
#![allow(dead_code, unused_imports)]

pub mod bot;
pub mod discord;
pub mod media;
pub mod platforms;
pub mod postgres;
pub mod s3;
pub mod samples;
pub mod stage;
pub mod tls;
pub mod web;
