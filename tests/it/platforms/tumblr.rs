//! Tumblr: in process and by the tools.
