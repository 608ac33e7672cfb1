//! Bluesky: in process and by the tools.
