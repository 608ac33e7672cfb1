//! Warm tools.
