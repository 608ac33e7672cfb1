//! What a file is: by its first bytes, by its boxes, by ffprobe; and the name it gets.

pub(super) mod bmff;
pub(super) mod names;
pub(super) mod probe;
pub(super) mod sniff;
