//! Vk: in process and by the tools.
