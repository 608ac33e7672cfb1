//! Tiktok: in process and by the tools.
