//! Warm processes.
