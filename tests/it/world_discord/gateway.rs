//! What a bot hears: everything deserialises with serenity's own gateway client, by intent and by right.

use std::{sync::Arc, time::Duration};

use serde_json::json;
use serenity::all::{
    self as discord_lib, Command, CommandInteraction, Context, CreateAttachment, CreateCommand, CreateCommandOption,
    EditInteractionResponse, EventHandler, GatewayIntents, Http, Interaction, Ready,
};
use tokio::sync::mpsc;

use super::Place;
use crate::world::discord::{MESSAGE_CONTENT, MIB, permissions};

impl Place {
    /// Connects a bot that hands on what it hears.
    async fn connect(&self, intents: GatewayIntents) -> mpsc::UnboundedReceiver<Heard> {
        let (tell, heard) = mpsc::unbounded_channel();
        let mut client = serenity::client::ClientBuilder::new_with_http(self.http(), intents)
            .event_handler(Listener { tell: tell.clone() })
            .await
            .unwrap();
        tokio::spawn(async move {
            let ended = client.start().await;
            let _ = tell.send(Heard::Ended(ended.err().map(|error| error.to_string()).unwrap_or_default()));
        });
        heard
    }
}

#[derive(Debug)]
enum Heard {
    Ready(Box<Ready>),
    Guild(Box<discord_lib::Guild>),
    Message(Box<discord_lib::Message>),
    Interaction(Box<CommandInteraction>, Arc<Http>),
    Resumed,
    Ended(String),
}

struct Listener {
    tell: mpsc::UnboundedSender<Heard>,
}

#[serenity::async_trait]
impl EventHandler for Listener {
    async fn ready(&self, context: Context, ready: Ready) {
        let link = CreateCommandOption::new(discord_lib::CommandOptionType::String, "url", "A link").required(true);
        let quality = CreateCommandOption::new(discord_lib::CommandOptionType::String, "quality", "How good")
            .set_autocomplete(true);
        let download = CreateCommand::new("download").description("Get media").add_option(link).add_option(quality);
        let menu = CreateCommand::new("Download media").kind(discord_lib::CommandType::Message);
        Command::set_global_commands(&context, vec![download, menu]).await.unwrap();
        let _ = self.tell.send(Heard::Ready(Box::new(ready)));
    }

    async fn guild_create(&self, _: Context, guild: discord_lib::Guild, _: Option<bool>) {
        let _ = self.tell.send(Heard::Guild(Box::new(guild)));
    }

    async fn message(&self, _: Context, message: discord_lib::Message) {
        let _ = self.tell.send(Heard::Message(Box::new(message)));
    }

    async fn interaction_create(&self, context: Context, interaction: Interaction) {
        let (Interaction::Command(call) | Interaction::Autocomplete(call)) = interaction else { return };
        let _ = self.tell.send(Heard::Interaction(Box::new(call), context.http));
    }

    async fn resume(&self, _: Context, _: discord_lib::ResumedEvent) {
        let _ = self.tell.send(Heard::Resumed);
    }
}

/// Waits for what a pattern picks out of what was heard.
macro_rules! hear {
    ($heard:expr, $pattern:pat $(if $guard:expr)? => $out:expr) => {{
        loop {
            let next = tokio::time::timeout(Duration::from_secs(30), $heard.recv()).await;
            match next.expect("nothing was heard").expect("the bot is there") {
                $pattern $(if $guard)? => break $out,
                _ => {}
            }
        }
    }};
}

#[tokio::test]
async fn a_bot_connects_registers_commands_and_answers_a_slash_command() {
    let place = Place::new().await;
    let mut heard = place.connect(GatewayIntents::non_privileged() | GatewayIntents::MESSAGE_CONTENT).await;
    let ready = hear!(heard, Heard::Ready(ready) => ready);
    assert_eq!(ready.user.id, place.discord.bot_id());
    place.discord.ready().await;
    let call = place.ann.slash(&place.general, "download", json!({"url": "https://x.com/a/status/1"})).await;
    let (asked, http) = hear!(heard, Heard::Interaction(call, http) => (call, http));
    assert_eq!(asked.data.name, "download");
    assert_eq!(asked.user.id, place.ann.id);
    assert_eq!(u64::from(asked.attachment_size_limit), 10 * MIB);
    assert!(asked.app_permissions.unwrap().attach_files());
    asked.defer(&http).await.unwrap();
    assert!(call.acknowledged().await < Duration::from_secs(3));
    let file = CreateAttachment::bytes(b"video".as_slice(), "a clip.mp4").description("A cat");
    let edit = EditInteractionResponse::new().content("done").new_attachment(file);
    let edited = asked.edit_response(&http, edit).await.unwrap();
    assert_eq!(edited.attachments[0].filename, "a_clip.mp4");
    let message = call.final_message().await;
    assert_eq!(message.content, "done");
    assert_eq!(message.attachments[0].bytes(), b"video");
    assert_eq!(message.attachments[0].description.as_deref(), Some("A cat"));
    let shapes: Vec<(bool, String)> =
        call.history().iter().map(|shape| (shape.loading, shape.content.clone())).collect();
    assert_eq!(shapes, [(true, String::new()), (false, "done".to_owned())]);
    assert!(place.discord.unexpected().is_empty());
}

#[tokio::test]
async fn text_reaches_a_bot_only_by_intent_mention_or_direct_message() {
    let place = Place::new().await;
    let intents = GatewayIntents::GUILDS | GatewayIntents::GUILD_MESSAGES | GatewayIntents::DIRECT_MESSAGES;
    let mut heard = place.connect(intents).await;
    hear!(heard, Heard::Ready(ready) => ready);
    place.ann.says(&place.general, "a secret").await;
    assert_eq!(hear!(heard, Heard::Message(message) => message.content.clone()), "");
    let hello = format!("<@{}> hello", place.discord.bot_id());
    place.ann.says(&place.general, &hello).await;
    let message = hear!(heard, Heard::Message(message) => message);
    assert_eq!((message.content.as_str(), message.mentions.len()), (hello.as_str(), 1));
    place.ann.says(&place.ann.dm(), "just us").await;
    let message = hear!(heard, Heard::Message(message) => message);
    assert_eq!((message.content.as_str(), message.guild_id), ("just us", None));
}

#[tokio::test]
async fn a_privileged_intent_that_was_not_granted_closes_with_4014() {
    let place = Place::new().await;
    place.discord.grant_intents(0);
    let mut heard = place.connect(GatewayIntents::MESSAGE_CONTENT).await;
    let why = hear!(heard, Heard::Ended(why) => why);
    assert!(why.to_lowercase().contains("disallowed"), "{why}");
    assert_eq!(place.discord.identify_intents(), Some(MESSAGE_CONTENT));
}

#[tokio::test]
async fn a_cut_gateway_is_resumed_and_nothing_is_lost() {
    let place = Place::new().await;
    let mut heard = place.connect(GatewayIntents::non_privileged() | GatewayIntents::MESSAGE_CONTENT).await;
    hear!(heard, Heard::Ready(ready) => ready);
    place.discord.drop_gateway();
    place.ann.says(&place.general, "said meanwhile").await;
    let message = hear!(heard, Heard::Message(message) => message);
    assert_eq!(message.content, "said meanwhile");
    assert!(hear!(heard, Heard::Resumed => true));
    let log = place.discord.gateway();
    assert_eq!((log.connections, log.identifies, log.resumes), (2, 1, 1));
}

#[tokio::test]
async fn guilds_tell_their_boost_tier_and_channels_their_rights() {
    let place = Place::new().await;
    let boosted = place.discord.guild("Tier three", 3);
    let quiet = boosted.channel("quiet");
    quiet.bot_may_not(permissions::ATTACH_FILES);
    let mut heard = place.connect(GatewayIntents::non_privileged()).await;
    let guild = hear!(heard, Heard::Guild(guild) if guild.name == "Tier three" => guild);
    assert_eq!(guild.premium_tier, discord_lib::PremiumTier::Tier3);
    let channel = &guild.channels[&quiet.id.into()];
    let me = &guild.members[&place.discord.bot_id().into()];
    assert!(!guild.user_permissions_in(channel, me).attach_files());
    assert!(guild.user_permissions_in(channel, me).send_messages());
    let call = place.ann.slash(&quiet, "download", json!({"url": "x"})).await;
    let asked = hear!(heard, Heard::Interaction(call, _) => call);
    assert_eq!(u64::from(asked.attachment_size_limit), 100 * MIB);
    assert!(!asked.app_permissions.unwrap().attach_files());
    assert!(call.interaction().unwrap().acknowledged_after.is_none());
}

#[tokio::test]
async fn autocomplete_and_context_menus_reach_the_bot() {
    let place = Place::new().await;
    let mut heard = place.connect(GatewayIntents::non_privileged()).await;
    hear!(heard, Heard::Ready(ready) => ready);
    let (ann, general) = (place.ann.clone(), place.general.clone());
    let typed = tokio::spawn(async move {
        ann.autocomplete(&general, "download", json!({"url": "x", "quality": "10"}), "quality").await
    });
    let (asked, http) = hear!(heard, Heard::Interaction(call, http) => (call, http));
    assert_eq!(asked.data.autocomplete().unwrap().value, "10");
    let choices = discord_lib::CreateAutocompleteResponse::new().add_string_choice("1080p", "1080p");
    asked.create_response(&http, discord_lib::CreateInteractionResponse::Autocomplete(choices)).await.unwrap();
    assert_eq!(typed.await.unwrap()[0]["name"], "1080p");

    let message = place.ann.says(&place.general, "https://x.com/a/status/1").await.asked().unwrap();
    place.ann.context_menu("Download media", &message).await;
    let asked = hear!(heard, Heard::Interaction(call, _) => call);
    let Some(discord_lib::ResolvedTarget::Message(target)) = asked.data.target() else { panic!("{asked:?}") };
    assert_eq!(target.content, "https://x.com/a/status/1");
}
