//! Stories against the real binary, the real tools and stand-in servers. One binary, so that it links once.

mod cache;
mod cassettes;
mod cli;
mod crowd;
mod discord_commands;
mod discord_connection;
mod discord_limits;
mod discord_media;
mod discord_wishes;
mod egress;
mod fallback;
mod fetch_engine;
mod fetch_faults;
mod fetch_streams;
mod hazards;
mod links;
mod media;
mod platforms;
mod platforms_others;
mod platforms_reddit;
mod platforms_stage;
mod platforms_twitter;
mod resilience;
mod secrets;
mod sessions;
mod site;
mod ssrf;
mod store;
mod tool_failures;
mod tool_runs;
mod toolbox;
mod warm;
#[path = "../world/mod.rs"]
mod world;
mod world_discord;
mod world_web;
