//! Retries, breakers, rate limits.
