//! A job as it is told of: what its row says, made safe to be shown.

use serde::Deserialize;
use url::Url;

use super::advice::{self, Help};
use crate::{
    jobs::store::{JobRow, State},
    model::{Error, Kind, Options, Outcome, redact},
};

/// What is read of a request. Whatever else it holds is kept as it is.
#[derive(Debug, Deserialize)]
struct Asked {
    url: Url,
    #[serde(default)]
    options: Options,
}

/// A job that failed.
#[derive(Debug)]
pub(super) struct Lost {
    /// Its row.
    pub row: JobRow,
    /// The link, without what may be secret in it.
    pub link: String,
    /// What was wanted of it.
    pub options: Options,
    /// Its attempts, as far as they were told.
    pub outcome: Option<Outcome>,
    /// Why it failed.
    pub error: Option<Error>,
}

impl Lost {
    pub(super) fn of(row: JobRow) -> Self {
        let asked = serde_json::from_value::<Asked>(row.request.clone()).ok();
        let outcome = row.outcome.clone().and_then(|outcome| serde_json::from_value::<Outcome>(outcome).ok());
        let told =
            || Some(Error::new(advice::kind(row.error_code.as_deref()?)?, row.error_text.as_deref().unwrap_or("")));
        let error = outcome.as_ref().and_then(|outcome| outcome.error.clone()).or_else(told);
        let (link, options) = match asked {
            Some(asked) => (redact::link(&asked.url), asked.options),
            None => ("–".to_owned(), Options::default()),
        };
        Self { link, options, outcome, error, row }
    }

    /// The code of why it failed.
    pub(super) fn code(&self) -> &str {
        match (&self.error, &self.row.error_code) {
            (Some(error), _) => error.code(),
            (None, Some(code)) => code,
            (None, None) => "–",
        }
    }

    /// Why it failed, for the operator.
    pub(super) fn reason(&self) -> String {
        match &self.error {
            // Once more: what another program wrote into the database has not been looked through.
            Some(error) => redact::text(error.operator_text()),
            None if self.row.state == State::NeedsAttention => "each of its attempts was broken off".to_owned(),
            None => String::new(),
        }
    }

    /// Whether trying again can help, and what would have to change before.
    pub(super) fn advice(&self) -> (Help, &'static str) {
        match &self.error {
            Some(error) => advice::of(error.kind()),
            None => advice::of(&Kind::Internal),
        }
    }

    /// Whether trying again can help.
    pub(super) fn help(&self) -> Help {
        self.advice().0
    }

    /// Whether it has ended without success, and not before it began: see [`crate::jobs::store::JobStore::again`].
    pub(super) fn may_run_again(&self) -> bool {
        match self.row.state {
            State::Failed | State::NeedsAttention => true,
            State::Cancelled => self.row.started_at.is_some(),
            State::Queued | State::Running | State::Done => false,
        }
    }
}
