//! Facebook: in process and by the tools.
