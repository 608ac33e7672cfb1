//! The bot on Discord: commands in, files out.
//!
//! ```text
//! gateway ──► poise ──► commands/ ──► request ──► the store ──► a worker (jobs/durable)
//!                                                                  │
//!                 Discord ◄── rest ◄── live ◄── progress, sink ◄── host
//! ```
//!
//! - `connection`: staying connected, leaving in time, and the part that a process plays; `account`: whose bot it is.
//! - `commands/`: one file a command; `link`: what people type; `errors`: what they read when it goes wrong.
//! - `request`: a command is written down as a job and acknowledged; `waiting`: its place in the queue.
//! - `host`: a job that was claimed is taken up, with its live message (`live`, `progress`) and its `sink`; `address`: where
//!   that is, written down.
//! - `rest`, `upload`: messages with files streamed from disk, rate limits, repeats.
//! - `limits`, `permissions`: what is allowed where. `texts`: every sentence.

mod account;
mod address;
mod commands;
mod connection;
mod errors;
mod host;
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
mod waiting;

pub use connection::{Role, RunError, run};
