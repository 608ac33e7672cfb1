//! Recorded exchanges, and their replay.
