//! Downloads: ranges, resume, stalls, limits.
