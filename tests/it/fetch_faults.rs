//! Everything that can go wrong with a download, by every protocol.
