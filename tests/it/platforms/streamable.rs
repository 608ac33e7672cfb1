//! Streamable: in process and by the tools.
