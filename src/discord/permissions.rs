//! What the bot needs to be allowed, and whether it is.

use poise::serenity_prelude as serenity;
use serenity::Permissions;

use super::types::Context;

/// What the bot needs in a channel to do all it can do.
pub const NEEDED: Permissions = Permissions::VIEW_CHANNEL
    .union(Permissions::SEND_MESSAGES)
    .union(Permissions::SEND_MESSAGES_IN_THREADS)
    .union(Permissions::ATTACH_FILES)
    .union(Permissions::EMBED_LINKS)
    .union(Permissions::READ_MESSAGE_HISTORY);

/// Any of these makes a moderator, who may deal with everybody's requests in the server.
const MODERATES: Permissions =
    Permissions::MANAGE_MESSAGES.union(Permissions::MANAGE_GUILD).union(Permissions::ADMINISTRATOR);

/// Whether whoever gave this command is a moderator here, as far as Discord told. Nobody is in direct messages.
pub fn moderates(ctx: Context<'_>) -> bool {
    let may = ctx.guild_id().and_then(|_| match ctx {
        poise::Context::Application(app) => app.interaction.member.as_ref()?.permissions,
        poise::Context::Prefix(prefix) => prefix.msg.author_permissions(ctx.cache()),
    });
    may.is_some_and(|may| may.intersects(MODERATES))
}

/// The link with which somebody who manages a server adds the bot with these permissions. Without its scheme: links in
/// logs are shortened to their hosts, because most of them are nobody's business.
pub fn invite(application: serenity::ApplicationId) -> String {
    format!(
        "discord.com/oauth2/authorize?client_id={application}&scope=bot+applications.commands&permissions={}",
        NEEDED.bits()
    )
}

/// What is missing to answer this command, with files or without, as far as Discord told. Empty: nothing, or unknown.
pub fn missing(ctx: Context<'_>, files: bool) -> Permissions {
    if ctx.guild_id().is_none() {
        return Permissions::empty();
    }
    let wanted = if files { Permissions::ATTACH_FILES } else { Permissions::empty() };
    match ctx {
        // Somebody brought the bot along into a server that it is no member of: there it has no rights of its own.
        poise::Context::Application(app) if is_brought_along(app.interaction) => Permissions::empty(),
        // Answering an interaction needs no permission; attaching files to the answer does.
        poise::Context::Application(app) => {
            app.interaction.app_permissions.map_or_else(Permissions::empty, |has| wanted - has)
        }
        poise::Context::Prefix(_) => in_channel(ctx).map_or_else(Permissions::empty, |(has, thread)| {
            let send = if thread { Permissions::SEND_MESSAGES_IN_THREADS } else { Permissions::SEND_MESSAGES };
            (wanted | send | Permissions::VIEW_CHANNEL) - has
        }),
    }
}

/// Whether only its user installed the bot, not the server.
fn is_brought_along(interaction: &serenity::CommandInteraction) -> bool {
    use serenity::AuthorizingIntegrationOwner as Owner;
    let owners = &interaction.authorizing_integration_owners.0;
    let by = |wanted: fn(&Owner) -> bool| owners.iter().any(wanted);
    by(|owner| matches!(owner, Owner::UserInstall(_))) && !by(|owner| matches!(owner, Owner::GuildInstall(_)))
}

/// What the bot may do in the command's channel, from the cache, and whether the channel is a thread.
fn in_channel(ctx: Context<'_>) -> Option<(Permissions, bool)> {
    let guild = ctx.guild()?;
    let me = guild.members.get(&ctx.cache().current_user().id)?;
    let id = ctx.channel_id();
    if let Some(channel) = guild.channels.get(&id) {
        return Some((guild.user_permissions_in(channel, me), false));
    }
    let thread = guild.threads.iter().find(|thread| thread.id == id)?;
    let parent = guild.channels.get(&thread.parent_id?)?;
    Some((guild.user_permissions_in(parent, me), true))
}

/// What the bot lacks in a whole server.
pub fn missing_in_guild(guild: &serenity::Guild, me: serenity::UserId) -> Permissions {
    guild.members.get(&me).map_or_else(Permissions::empty, |me| NEEDED - guild.member_permissions(me))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_invite_asks_for_what_is_needed_and_no_more() {
        let link = invite(42.into());
        assert!(link.contains("client_id=42&scope=bot+applications.commands&permissions="), "{link}");
        assert_eq!(NEEDED.bits(), (1 << 10) | (1 << 11) | (1 << 14) | (1 << 15) | (1 << 16) | (1 << 38));
    }
}
