//! Youtube: in process and by the tools.
