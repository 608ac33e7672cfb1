//! Threads: in process and by the tools.
