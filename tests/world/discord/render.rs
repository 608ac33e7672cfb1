//! The model as JSON, in the shapes of Discord's API v10, complete enough for strict clients.

use serde_json::{Value, json};

use super::{
    model::{Attachment, ChannelKind, ChannelState, Id, Interaction, Message},
    permissions,
    state::State,
};

/// When everybody joined everything.
const LONG_AGO: &str = "2021-03-04T05:06:07.000000+00:00";

/// The host that attachments are served from.
pub const CDN: &str = "cdn.discordapp.com";

impl State {
    /// A user.
    pub fn user_json(&self, id: Id) -> Value {
        let (name, bot) = self.people.get(&id).map_or(("deleted", false), |person| (&person.name, person.bot));
        json!({
            "id": id.to_string(), "username": name.to_lowercase(), "discriminator": "0", "global_name": name,
            "avatar": null, "bot": bot, "public_flags": 0, "flags": 0, "banner": null, "accent_color": null,
            "avatar_decoration_data": null, "collectibles": null, "primary_guild": null, "clan": null,
        })
    }

    /// A member of a guild, user included.
    pub fn member_json(&self, guild: Id, id: Id) -> Value {
        let mut member = self.bare_member_json(guild, id);
        member["user"] = self.user_json(id);
        member
    }

    /// A member of a guild without the user, as in message events.
    pub fn bare_member_json(&self, guild: Id, id: Id) -> Value {
        let manages = self.guilds.get(&guild).is_some_and(|guild| guild.managers.contains(&id));
        let roles = if manages {
            json!([manager_role(guild).to_string()])
        } else if id == self.bot {
            json!([bot_role(guild).to_string()])
        } else {
            json!([])
        };
        json!({
            "nick": null, "avatar": null, "banner": null, "roles": roles, "joined_at": LONG_AGO, "premium_since": null,
            "deaf": false, "mute": false, "flags": 0, "pending": false, "communication_disabled_until": null,
            "unusual_dm_activity_until": null, "avatar_decoration_data": null, "collectibles": null,
        })
    }

    /// A member's rights in a channel.
    pub fn permissions_of(&self, channel: Id, id: Id) -> u64 {
        if id == self.bot {
            return self.bot_may(channel);
        }
        let guild = self.channels.get(&channel).and_then(|channel| channel.guild).and_then(|id| self.guilds.get(&id));
        let more = guild
            .filter(|guild| guild.owner == id || guild.managers.contains(&id))
            .map_or(0, |_| permissions::MANAGE_GUILD | permissions::MANAGE_MESSAGES);
        permissions::OF_EVERYBODY | more
    }

    /// A channel.
    pub fn channel_json(&self, channel: &ChannelState) -> Value {
        let last = self.messages.values().rev().find(|message| message.channel == channel.id && !message.deleted);
        let last = last.map(|message| message.id.to_string());
        match channel.kind {
            ChannelKind::Direct => json!({
                "id": channel.id.to_string(), "type": 1, "last_message_id": last, "flags": 0,
                "recipients": [self.user_json(channel.recipient.unwrap_or_default())],
            }),
            ChannelKind::Text => json!({
                "id": channel.id.to_string(), "type": 0, "guild_id": channel.guild.map(|id| id.to_string()),
                "name": channel.name, "position": 0, "permission_overwrites": self.overwrites(channel),
                "topic": null, "nsfw": channel.nsfw, "last_message_id": last, "rate_limit_per_user": 0,
                "parent_id": null, "last_pin_timestamp": null, "flags": 0,
            }),
            ChannelKind::Thread => json!({
                "id": channel.id.to_string(), "type": 11, "guild_id": channel.guild.map(|id| id.to_string()),
                "name": channel.name, "parent_id": channel.parent.map(|id| id.to_string()), "last_message_id": last,
                "owner_id": self.bot.to_string(), "message_count": 0, "member_count": 1, "total_message_sent": 0,
                "rate_limit_per_user": 0, "flags": 0,
                "thread_metadata": {
                    "archived": false, "auto_archive_duration": 1440, "archive_timestamp": LONG_AGO, "locked": false,
                    "create_timestamp": LONG_AGO,
                },
                "member": {
                    "id": channel.id.to_string(), "user_id": self.bot.to_string(), "join_timestamp": LONG_AGO,
                    "flags": 0,
                },
            }),
        }
    }

    /// What makes the bot's rights in a channel differ from those it was invited with.
    fn overwrites(&self, channel: &ChannelState) -> Value {
        let (allow, deny) = (channel.bot_may & !permissions::OF_THE_BOT, permissions::OF_THE_BOT & !channel.bot_may);
        if allow | deny == 0 {
            return json!([]);
        }
        json!([{"id": self.bot.to_string(), "type": 1, "allow": allow.to_string(), "deny": deny.to_string()}])
    }

    /// A guild's roles.
    pub fn roles_json(&self, guild: Id) -> Value {
        let role = |id: Id, name: &str, bits: u64, position: u16, managed: bool| {
            json!({
                "id": id.to_string(), "name": name, "color": 0, "hoist": false, "icon": null, "unicode_emoji": null,
                "colors": {"primary_color": 0, "secondary_color": null, "tertiary_color": null},
                "position": position, "permissions": bits.to_string(), "managed": managed, "mentionable": false,
                "flags": 0,
                "tags": if managed { json!({"bot_id": self.bot.to_string()}) } else { json!({}) },
            })
        };
        json!([
            role(guild, "@everyone", permissions::OF_EVERYBODY, 0, false),
            role(manager_role(guild), "managers", permissions::MANAGE_GUILD | permissions::MANAGE_MESSAGES, 1, false),
            role(bot_role(guild), "the bot", permissions::OF_THE_BOT, 2, true),
        ])
    }

    /// A guild without its channels and members, as the REST API gives it.
    pub fn guild_json(&self, id: Id) -> Option<Value> {
        let guild = self.guilds.get(&id)?;
        Some(json!({
            "id": id.to_string(), "name": guild.name, "icon": null, "icon_hash": null, "splash": null,
            "discovery_splash": null, "owner_id": guild.owner.to_string(), "afk_channel_id": null, "afk_timeout": 300,
            "widget_enabled": false, "widget_channel_id": null, "verification_level": 0,
            "default_message_notifications": 0, "explicit_content_filter": 0, "roles": self.roles_json(id),
            "emojis": [], "features": [], "mfa_level": 0, "application_id": null, "system_channel_id": null,
            "system_channel_flags": 0, "rules_channel_id": null, "max_presences": null, "max_members": 500_000,
            "vanity_url_code": null, "description": null, "banner": null, "premium_tier": guild.tier,
            "premium_subscription_count": ([0, 2, 7, 14][usize::from(guild.tier.min(3))]), "preferred_locale": "en-US",
            "public_updates_channel_id": null, "max_video_channel_users": 25, "max_stage_video_channel_users": 50,
            "nsfw_level": 0, "nsfw": false, "stickers": [], "premium_progress_bar_enabled": false,
            "safety_alerts_channel_id": null, "incidents_data": null, "hub_type": null, "region": "deprecated",
        }))
    }

    /// A guild as GUILD_CREATE brings it.
    pub fn guild_create_json(&self, id: Id) -> Option<Value> {
        let guild = self.guilds.get(&id)?;
        let mut json = self.guild_json(id)?;
        let of = |kind: ChannelKind| -> Vec<Value> {
            let mine = self.channels.values().filter(|channel| channel.guild == Some(id) && channel.kind == kind);
            mine.map(|channel| self.channel_json(channel)).collect()
        };
        json["joined_at"] = LONG_AGO.into();
        json["large"] = false.into();
        json["unavailable"] = false.into();
        json["member_count"] = (guild.members.len() + 1).into();
        json["members"] = [self.member_json(id, self.bot)].into_iter().collect();
        json["channels"] = of(ChannelKind::Text).into();
        json["threads"] = of(ChannelKind::Thread).into();
        for empty in ["voice_states", "presences", "stage_instances", "guild_scheduled_events", "soundboard_sounds"] {
            json[empty] = json!([]);
        }
        Some(json)
    }

    /// An attachment of a message in a channel.
    pub fn attachment_json(&self, channel: Id, file: &Attachment) -> Value {
        let address = format!("{CDN}/attachments/{channel}/{}/{}", file.id, file.filename);
        let signature = "ex=68f00000&is=68eeae80&hm=5a17ed5a17ed5a17ed5a17ed5a17ed5a17ed5a17ed5a17ed5a17ed5a17ed5a17";
        let mut json = json!({
            "id": file.id.to_string(), "filename": file.filename, "size": file.size,
            "url": format!("https://{address}?{signature}&"),
            "proxy_url": format!("https://media.discordapp.net/attachments/{channel}/{}/{}?{signature}&", file.id, file.filename),
            "content_type": file.content_type,
            "content_scan_version": 0,
        });
        if let Some(text) = &file.description {
            json["description"] = text.as_str().into();
        }
        if let Some((width, height)) = file.dimensions {
            json["width"] = width.into();
            json["height"] = height.into();
        }
        json
    }

    /// A message. `deep`: with the message it replies to.
    pub fn message_json(&self, message: &Message, deep: bool) -> Value {
        let files = message.attachments.iter().filter(|file| !file.in_embed);
        let files: Vec<Value> = files.map(|file| self.attachment_json(message.channel, file)).collect();
        let interaction = message.interaction.and_then(|id| self.interactions.get(&id));
        let kind = match (interaction, message.reference) {
            (Some(interaction), _) if interaction.original.is_none_or(|original| original == message.id) => 20,
            (_, Some(_)) => 19,
            _ => 0,
        };
        let embeds: Vec<Value> = message.embeds.iter().map(rich).collect();
        let mut json = json!({
            "id": message.id.to_string(), "channel_id": message.channel.to_string(), "type": kind,
            "author": self.user_json(message.author), "content": message.content,
            "timestamp": stamp(message.sent), "edited_timestamp": message.edited.map(stamp), "tts": false,
            "mention_everyone": message.pinged.iter().any(|name| name == "@everyone"),
            "mentions": message.mentions.iter().map(|id| self.user_json(*id)).collect::<Vec<_>>(),
            "mention_roles": [], "attachments": files, "embeds": embeds, "components": message.components,
            "pinned": false, "flags": message.flags,
        });
        if let Some(nonce) = &message.nonce {
            json["nonce"] = nonce.clone();
        }
        if !message.reactions.is_empty() {
            json["reactions"] = self.reactions_json(message);
        }
        if message.author == self.bot {
            json["application_id"] = self.bot.to_string().into();
        }
        if let Some(interaction) = interaction {
            json["webhook_id"] = self.bot.to_string().into();
            json["interaction_metadata"] = self.metadata_json(interaction, message.id);
        }
        if let Some(id) = message.reference {
            let guild = self.channels.get(&message.channel).and_then(|channel| channel.guild);
            json["message_reference"] = json!({
                "type": 0, "message_id": id.to_string(), "channel_id": message.channel.to_string(),
                "guild_id": guild.map(|id| id.to_string()),
            });
            if deep {
                let original = self.messages.get(&id).filter(|original| !original.deleted);
                json["referenced_message"] =
                    original.map_or(Value::Null, |original| self.message_json(original, false));
            }
        }
        json
    }

    fn reactions_json(&self, message: &Message) -> Value {
        let mut counts: Vec<(&str, usize, bool)> = Vec::new();
        for (emoji, by) in &message.reactions {
            let mine = *by == self.bot;
            match counts.iter_mut().find(|(name, ..)| name == emoji) {
                Some((_, count, me)) => (*count, *me) = (*count + 1, *me || mine),
                None => counts.push((emoji, 1, mine)),
            }
        }
        let one = |(emoji, count, me): (&str, usize, bool)| {
            json!({
                "emoji": {"id": null, "name": emoji}, "count": count, "me": me, "me_burst": false, "burst_me": false,
                "burst_count": 0, "burst_colors": [], "count_details": {"burst": 0, "normal": count},
            })
        };
        counts.into_iter().map(one).collect()
    }

    fn metadata_json(&self, interaction: &Interaction, message: Id) -> Value {
        let mut json = json!({
            "id": interaction.id.to_string(), "type": 2, "user": self.user_json(interaction.user),
            "name": interaction.command, "command_type": 1,
            "authorizing_integration_owners": self.owners_json(interaction.channel, interaction.user, interaction.user_installed),
        });
        if let Some(original) = interaction.original.filter(|original| *original != message) {
            json["original_response_message_id"] = original.to_string().into();
        }
        json
    }

    /// By whom an interaction's app was installed: guild (0) or user (1).
    pub fn owners_json(&self, channel: Id, user: Id, user_installed: bool) -> Value {
        if user_installed {
            return json!({"1": user.to_string()});
        }
        let guild = self.channels.get(&channel).and_then(|channel| channel.guild);
        json!({"0": guild.map_or_else(|| "0".to_owned(), |id| id.to_string())})
    }

    /// A message as an event: with guild and member.
    pub fn message_event_json(&self, message: &Message) -> Value {
        let mut json = self.message_json(message, true);
        if let Some(guild) = self.channels.get(&message.channel).and_then(|channel| channel.guild) {
            json["guild_id"] = guild.to_string().into();
            json["member"] = self.bare_member_json(guild, message.author);
        }
        json
    }

    /// `/applications/@me` and `/oauth2/applications/@me`.
    pub fn application_json(&self) -> Value {
        let owner = self.guilds.values().next().map_or(self.bot, |guild| guild.owner);
        json!({
            "id": self.bot.to_string(), "name": self.name_of(self.bot), "icon": null, "description": "",
            "rpc_origins": [], "bot_public": true, "bot_require_code_grant": false, "owner": self.user_json(owner),
            "bot": self.user_json(self.bot), "summary": "", "verify_key": "0".repeat(64), "team": null,
            "flags": self.application_flags(), "tags": [], "hook": true, "redirect_uris": [],
            "interactions_endpoint_url": null, "role_connections_verification_url": null,
            "integration_types_config": {"0": {}, "1": {}}, "approximate_guild_count": self.guilds.len(),
            "approximate_user_install_count": 0, "install_params": {"scopes": ["applications.commands", "bot"],
            "permissions": permissions::OF_THE_BOT.to_string()},
        })
    }

    /// Which privileged intents were given, as an application's flags say it.
    pub fn application_flags(&self) -> u64 {
        let given = self.rules.privileged_intents;
        let mut flags = 1 << 23;
        for (intent, flag) in [(1 << 8, 1 << 13), (1 << 1, 1 << 15), (1 << 15, 1 << 19)] {
            if given & intent != 0 {
                flags |= flag;
            }
        }
        flags
    }
}

/// The role that lets people manage a guild.
fn manager_role(guild: Id) -> Id {
    guild + 4096
}

/// The role that came with the bot.
fn bot_role(guild: Id) -> Id {
    guild + 4097
}

fn stamp(time: chrono::DateTime<chrono::Utc>) -> String {
    time.format("%Y-%m-%dT%H:%M:%S%.6f+00:00").to_string()
}

/// An embed as Discord gives it back.
fn rich(embed: &Value) -> Value {
    let mut embed = embed.clone();
    embed["type"] = "rich".into();
    embed
}
