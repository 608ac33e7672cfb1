//! The operator's sessions.
