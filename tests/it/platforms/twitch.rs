//! Twitch: in process and by the tools.
