//! Vimeo: in process and by the tools.
