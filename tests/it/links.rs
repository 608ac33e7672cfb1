//! Hundreds of links, and where they go.
