//! Mastodon: in process and by the tools.
