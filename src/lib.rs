//! boss-bot: paste a link in Discord, get the media as a native attachment that plays inline.
//!
//! The way of a link, and so the rooms of this house (imports point downwards only):
//!
//! ```text
//! discord/ (commands)        commands/ (fetch, explain, doctor …)
//!        └───────────────┬──────────────┘
//!                  jobs/  one request from link to delivery: order, limits, cancel
//!                        │
//!                  strategy/  which paths, in which order, and what an error means for the next one
//!                  │           │
//!    cache/ platforms/ (api)   tools/ (yt-dlp, gallery-dl, ffmpeg as sandboxed children)
//!                  └─────┬─────┘
//!                  fetch/  media/  artifacts/  deliver/
//!                        │
//!                  net/  guarded egress          settings/
//!                        │
//!                  model/  plain data
//! ```

pub mod app;
pub mod artifacts;
pub mod cache;
pub mod commands;
pub mod deliver;
pub mod discord;
pub mod fetch;
pub mod jobs;
pub mod media;
pub mod model;
pub mod net;
pub mod platforms;
pub mod settings;
pub mod strategy;
pub mod telemetry;
pub mod tools;
pub mod turns;
