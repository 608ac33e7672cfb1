//! Soundcloud: in process and by the tools.
