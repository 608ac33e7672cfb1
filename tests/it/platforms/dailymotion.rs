//! Dailymotion: in process and by the tools.
