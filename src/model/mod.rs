//! The plain data that flows through the program: what was asked ([`Request`]), what a link is ([`Resource`]),
//! what it holds ([`MediaMetadata`]), what became of it ([`Outcome`]), and what can go wrong ([`Error`]).
//!
//! Nothing here does input or output, and nothing here imports another module of ours: every other room may depend on
//! this one, this one on none.

mod error;
mod media;
mod outcome;
mod progress;
pub mod redact;
mod request;
mod resource;
mod texts;
mod time_left;
mod tool;
mod wish;

pub use error::{Error, ExternalToolError, Kind, Result};
pub use media::{
    Author, Counts, DownloadMethod, Extension, FileType, Item, MediaFile, MediaMetadata, Protocol, Rendition, Streams,
};
pub use outcome::{Attempt, AttemptEnd, Outcome, Posted, Retry};
pub use progress::{Phase, Progress, ProgressReceiver};
pub use request::{Options, Origin, Quality, Request, Requester, UploadLimit};
pub use resource::{ITEMS_OF_A_LIST, PlatformId, Resource, ResourceKind};
pub use time_left::{TimeLeft, about, took};
pub use tool::Tool;
pub use wish::{AudioFormat, Contradiction, EndsTooEarly, FitWish, Moment, Speed, Trim, UnknownWord, WrongTime};
