//! Instagram: in process and by the tools.
