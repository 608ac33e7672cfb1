//! Discord's permission bits that matter to a bot that posts media.

/// Everything, always.
pub const ADMINISTRATOR: u64 = 1 << 3;
/// Manage the server.
pub const MANAGE_GUILD: u64 = 1 << 5;
/// React to messages.
pub const ADD_REACTIONS: u64 = 1 << 6;
/// See the channel.
pub const VIEW_CHANNEL: u64 = 1 << 10;
/// Write in it.
pub const SEND_MESSAGES: u64 = 1 << 11;
/// Delete others' messages and hide their embeds.
pub const MANAGE_MESSAGES: u64 = 1 << 13;
/// Embeds.
pub const EMBED_LINKS: u64 = 1 << 14;
/// Files.
pub const ATTACH_FILES: u64 = 1 << 15;
/// Read what was written before, replies included.
pub const READ_MESSAGE_HISTORY: u64 = 1 << 16;
/// Notify everybody.
pub const MENTION_EVERYONE: u64 = 1 << 17;
/// Use application commands.
pub const USE_APPLICATION_COMMANDS: u64 = 1 << 31;
/// Write in threads.
pub const SEND_MESSAGES_IN_THREADS: u64 = 1 << 38;

/// What the bot is invited with, unless a test says otherwise.
pub const OF_THE_BOT: u64 = ADD_REACTIONS
    | VIEW_CHANNEL
    | SEND_MESSAGES
    | EMBED_LINKS
    | ATTACH_FILES
    | READ_MESSAGE_HISTORY
    | SEND_MESSAGES_IN_THREADS;

/// What everybody may do.
pub const OF_EVERYBODY: u64 = ADD_REACTIONS
    | VIEW_CHANNEL
    | SEND_MESSAGES
    | EMBED_LINKS
    | ATTACH_FILES
    | READ_MESSAGE_HISTORY
    | USE_APPLICATION_COMMANDS
    | SEND_MESSAGES_IN_THREADS;
