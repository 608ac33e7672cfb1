//! The types that every command shares.

use std::{sync::Arc, time::Instant};

use poise::serenity_prelude as serenity;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{limits::LimitBook, link::ArgumentError, rest::Rest, waiting::Waiting};
use crate::{
    app::App,
    jobs::{Seal, durable::Durable},
    model::{self, redact},
};

/// What commands can reach.
pub struct Data {
    /// Every service.
    pub app: Arc<App>,
    /// Discord's REST interface as we use it: streaming uploads, a limiter a token.
    pub rest: Rest,
    /// Keeps the tokens of interactions unreadable where they are written down.
    pub seal: Arc<Seal>,
    /// The durable jobs.
    pub durable: Durable,
    /// Live messages whose jobs have not been claimed yet.
    pub waiting: Waiting,
    /// What was learned about upload limits.
    pub limits: Arc<LimitBook>,
    /// Fires when the bot is to stop.
    pub stop: CancellationToken,
    /// Commands under way, so that a stop can wait for their last words.
    pub commands: TaskTracker,
    /// When this connection was made.
    pub started: Instant,
    /// Whether Discord lets the bot read messages that don't mention it.
    pub reads_messages: bool,
}

/// What a command is handed.
pub type Context<'a> = poise::Context<'a, Data, Error>;

/// Why a command could not do its work. What users read of it is decided in `errors.rs`.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The request failed.
    #[error(transparent)]
    Failure(#[from] model::Error),
    /// What was typed is not usable.
    #[error(transparent)]
    Argument(#[from] ArgumentError),
    /// Discord did not take an answer.
    #[error("Discord: {0}")]
    Discord(String),
}

impl From<serenity::Error> for Error {
    fn from(error: serenity::Error) -> Self {
        // The addresses in serenity's errors carry interaction tokens.
        Self::Discord(redact::text(&error.to_string()))
    }
}
