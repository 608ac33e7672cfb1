//! The bot on Discord: commands in, files out.
//!
//! ```text
//! gateway ──► poise ──► commands/ ──► request ──► jobs ──► sink ──► live ──► rest ──► Discord
//!                                        └──────── progress ─────────┘
//! ```
//!
//! - `connection`: reaching Discord, staying there, leaving in time.
//! - `commands/`: one file a command; `link`: what people type; `errors`: what they read when it goes wrong.
//! - `request`: a command becomes a job, with its live message (`live`, `progress`) and its sink.
//! - `rest`, `upload`: messages with files streamed from disk, rate limits, repeats.
//! - `limits`, `permissions`: what is allowed where. `texts`: every sentence.

mod commands;
mod connection;
mod errors;
mod limits;
mod link;
mod live;
mod permissions;
mod progress;
mod request;
mod rest;
mod sink;
mod texts;
mod types;
mod upload;

pub use connection::{RunError, run};
