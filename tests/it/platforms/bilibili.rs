//! Bilibili: in process and by the tools.
