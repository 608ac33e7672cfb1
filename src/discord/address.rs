//! Where a conversation is, written down: what another process needs to go on with it.

use std::time::Duration;

use chrono::Utc;
use poise::serenity_prelude as serenity;
use serde::{Deserialize, Serialize};

use super::{
    request::Target,
    rest::{TICKET_LIFE, Ticket},
};
use crate::jobs::Seal;

/// Where a conversation is. How much of the delivery is there stands in the job's parts, not here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Address {
    /// The server, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guild: Option<serenity::GuildId>,
    /// The channel.
    pub channel: serenity::ChannelId,
    /// The message that asked, to reply to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<serenity::MessageId>,
    /// The interaction to answer, until it is spent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interaction: Option<Answering>,
    /// The live message, as far as it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<Written>,
    /// Where the files go.
    pub target: Target,
    /// The upload limit that Discord told, in bytes a file.
    pub told: u64,
}

/// A message that is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Written {
    /// Its channel.
    pub channel: serenity::ChannelId,
    /// Its id.
    pub message: serenity::MessageId,
}

/// A link that leads to a message.
pub fn jump(guild: Option<serenity::GuildId>, channel: serenity::ChannelId, message: serenity::MessageId) -> String {
    let guild = guild.map_or_else(|| "@me".to_owned(), |guild| guild.to_string());
    format!("https://discord.com/channels/{guild}/{channel}/{message}")
}

/// The right to answer an interaction, its secret sealed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answering {
    /// The interaction.
    pub id: serenity::InteractionId,
    /// The application.
    pub application: serenity::ApplicationId,
    /// The token, sealed for the job ([`Seal`]).
    pub sealed: String,
    /// When it ends, in milliseconds since 1970.
    pub until: i64,
}

impl Answering {
    /// Of an interaction that came just now. `None`: it cannot be sealed, so it must not be written down.
    pub fn of(interaction: &serenity::CommandInteraction, job: &str, seal: &Seal) -> Option<Self> {
        let sealed = seal.seal(job, &interaction.token).ok()?;
        let life = i64::try_from(TICKET_LIFE.as_millis()).unwrap_or_default();
        let until = Utc::now().timestamp_millis().saturating_add(life);
        Some(Self { id: interaction.id, application: interaction.application_id, sealed, until })
    }

    /// The ticket again. `None`: it is too late, or it was sealed by another token of the bot.
    pub fn ticket(&self, job: &str, seal: &Seal) -> Option<Ticket> {
        let left = u64::try_from(self.until.saturating_sub(Utc::now().timestamp_millis())).ok()?;
        let token = seal.open(job, &self.sealed).ok()?;
        Some(Ticket::lasting(self.application, token, Duration::from_millis(left)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(sealed: String, until: i64) -> Address {
        let interaction = Answering { id: 7.into(), application: 8.into(), sealed, until };
        Address {
            guild: Some(1.into()),
            channel: 2.into(),
            asked: None,
            interaction: Some(interaction),
            message: Some(Written { channel: 2.into(), message: 9.into() }),
            target: Target::Here,
            told: 10_485_760,
        }
    }

    #[test]
    fn an_address_survives_being_written_down_and_shows_no_token() {
        let seal = Seal::of("MTE.bot.token").unwrap();
        let soon = Utc::now().timestamp_millis() + 60_000;
        let before = address(seal.seal("job", "secret-token").unwrap(), soon);
        let text = serde_json::to_string(&before).unwrap();
        assert!(!text.contains("secret-token"), "{text}");
        let after: Address = serde_json::from_str(&text).unwrap();
        assert_eq!(after, before);
        let ticket = after.interaction.unwrap().ticket("job", &seal).unwrap();
        assert_eq!(ticket.token, "secret-token");
        assert!(!ticket.is_spent());
    }

    #[test]
    fn a_ticket_that_is_over_or_anothers_is_none() {
        let seal = Seal::of("MTE.bot.token").unwrap();
        let sealed = seal.seal("job", "secret-token").unwrap();
        let answering = |until| address(sealed.clone(), until).interaction.unwrap();
        assert!(answering(Utc::now().timestamp_millis() - 1).ticket("job", &seal).is_none());
        let later = answering(Utc::now().timestamp_millis() + 60_000);
        assert!(later.ticket("another job", &seal).is_none());
        assert!(later.ticket("job", &Seal::of("another token").unwrap()).is_none());
    }
}
