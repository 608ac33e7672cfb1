//! External programs: where they are, how they are run, and what their words mean.

pub mod process;

use std::path::{Path, PathBuf};

use tokio_util::sync::CancellationToken;

use crate::{
    model::{MediaMetadata, Options, Progress, Resource, Result, Tool},
    net::Egress,
    platforms::CliTool,
    settings::Settings,
};

/// The external programs, found once.
pub struct Tools {
    // private
}

/// One call of a command-line extractor.
pub struct ToolJob<'a> {
    /// What the link is.
    pub resource: &'a Resource,
    /// How to call the tool for it.
    pub call: &'a CliTool,
    /// What is wanted.
    pub options: &'a Options,
    /// Bytes one file may have: the guard of the download, not the upload limit.
    pub max_bytes: u64,
    /// An upload limit to prefer formats under, if any.
    pub prefer_below: Option<u64>,
    /// An empty folder of the job's own.
    pub dir: &'a Path,
    /// Where to report.
    pub progress: &'a Progress,
    /// Ends it.
    pub cancel: &'a CancellationToken,
}

/// What a tool delivered.
#[derive(Debug)]
pub struct ToolOutput {
    /// The generic reading of its JSON, items in order.
    pub metadata: MediaMetadata,
    /// Its own JSON, stripped of cookies and headers: see `Platform::refine`.
    pub raw: Vec<serde_json::Value>,
    /// The files, one an item, in order, canonicalised inside the job's folder. Empty when only metadata was asked.
    pub files: Vec<PathBuf>,
}

impl Tools {
    /// Finds the programs. A missing one is an error only when it is needed.
    pub fn new(_settings: &Settings, _egress: Egress) -> Self {
        todo!()
    }

    /// Runs the tool: downloads into `job.dir`, or only looks when `job.options.metadata_only`.
    ///
    /// # Errors
    /// Of the kind its exit code, standard error and the proxy's log amount to.
    pub async fn run(&self, _job: &ToolJob<'_>) -> Result<ToolOutput> {
        todo!()
    }

    /// The ffmpeg to use.
    ///
    /// # Errors
    /// `tool_missing`.
    pub fn ffmpeg(&self) -> Result<&Path> {
        todo!()
    }

    /// The ffprobe to use.
    ///
    /// # Errors
    /// `tool_missing`.
    pub fn ffprobe(&self) -> Result<&Path> {
        todo!()
    }

    /// Whether the extractor is installed (`data_dir/tools/bin/python` with its module), and its version.
    pub async fn version(&self, _tool: Tool) -> Result<String> {
        todo!()
    }
}
