//! Pinterest: in process and by the tools.
