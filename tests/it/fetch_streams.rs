//! HLS and DASH in process.
