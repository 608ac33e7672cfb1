//! The command-line extractors we drive.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A command-line extractor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Tool {
    /// Videos and sound.
    #[serde(rename = "yt-dlp")]
    YtDlp,
    /// Pictures and mixed posts.
    #[serde(rename = "gallery-dl")]
    GalleryDl,
}

impl Tool {
    /// Its name as a command.
    pub fn name(self) -> &'static str {
        match self {
            Tool::YtDlp => "yt-dlp",
            Tool::GalleryDl => "gallery-dl",
        }
    }
}

impl fmt::Display for Tool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
