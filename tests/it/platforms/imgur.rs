//! Imgur: in process and by the tools.
