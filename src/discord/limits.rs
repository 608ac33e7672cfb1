//! How large a file may be where it is to be posted: what Discord tells, what boosts give, and what was learned the hard
//! way.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use poise::serenity_prelude as serenity;

const MIB: u64 = 1024 * 1024;

/// What the boost tiers 2 and 3 give, in bytes a file (Discord's help pages).
const TIER_2: u64 = 50 * MIB;
const TIER_3: u64 = 100 * MIB;

/// The limits Discord has had at some time, the larger first: what to fall back to after a refusal.
const STEPS: [u64; 6] = [TIER_3, TIER_2, 25 * MIB, 20 * MIB, 10 * MIB, 8 * MIB];

/// How long a learned limit holds. Boosts come and go; a wrong guess costs one refused upload.
const MEMORY: Duration = Duration::from_secs(24 * 60 * 60);

/// Where a limit holds: a server, or a private channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Place {
    /// A server.
    Guild(serenity::GuildId),
    /// A channel outside every server.
    Channel(serenity::ChannelId),
}

impl Place {
    /// The place a channel belongs to.
    pub fn of(guild: Option<serenity::GuildId>, channel: serenity::ChannelId) -> Self {
        guild.map_or(Self::Channel(channel), Self::Guild)
    }
}

/// What Discord says a file may have, before anything was learned: the interaction's own field when there is one, else
/// the boost tier, else `base`.
pub fn told(interaction: Option<u32>, tier: Option<serenity::PremiumTier>, base: u64) -> u64 {
    match interaction {
        Some(bytes) if bytes > 0 => u64::from(bytes),
        _ => match tier {
            Some(serenity::PremiumTier::Tier3) => base.max(TIER_3),
            Some(serenity::PremiumTier::Tier2) => base.max(TIER_2),
            _ => base,
        },
    }
}

/// The next limit to believe in after a file of `refused` bytes was refused.
pub fn next_lower(refused: u64) -> u64 {
    STEPS.into_iter().find(|step| *step < refused).unwrap_or(refused / 4 * 3)
}

/// What was learned from refusals, by place. In memory: after a restart it is learned again.
#[derive(Debug, Default)]
pub struct LimitBook {
    learned: Mutex<HashMap<Place, (u64, Instant)>>,
}

impl LimitBook {
    /// What holds in `place` when Discord tells `told` bytes.
    pub fn limit(&self, place: Place, told: u64) -> u64 {
        let mut learned = self.learned.lock().unwrap_or_else(PoisonError::into_inner);
        match learned.get(&place) {
            Some((bytes, since)) if since.elapsed() < MEMORY => told.min(*bytes),
            Some(_) => {
                learned.remove(&place);
                told
            }
            None => told,
        }
    }

    /// Notes that `place` refused a file of `refused` bytes, and returns what to believe from now on.
    pub fn refused(&self, place: Place, refused: u64) -> u64 {
        let mut learned = self.learned.lock().unwrap_or_else(PoisonError::into_inner);
        let before = learned.get(&place).map_or(u64::MAX, |(bytes, _)| *bytes);
        let now = next_lower(refused.min(before));
        learned.insert(place, (now, Instant::now()));
        now
    }
}

#[cfg(test)]
mod tests {
    use poise::serenity_prelude::PremiumTier;

    use super::*;

    #[test]
    fn the_interaction_knows_best_then_the_boosts_then_the_settings() {
        let table = [
            (Some(500 * MIB as u32), Some(PremiumTier::Tier0), 500 * MIB),
            (Some(0), Some(PremiumTier::Tier2), TIER_2),
            (None, Some(PremiumTier::Tier3), TIER_3),
            (None, Some(PremiumTier::Tier2), TIER_2),
            (None, Some(PremiumTier::Tier1), 10 * MIB),
            (None, None, 10 * MIB),
        ];
        for (interaction, tier, expected) in table {
            assert_eq!(told(interaction, tier, 10 * MIB), expected, "{interaction:?} {tier:?}");
        }
        assert_eq!(told(None, Some(PremiumTier::Tier2), 60 * MIB), 60 * MIB, "the operator knows more");
    }

    #[test]
    fn a_refusal_lowers_the_limit_of_that_place_only() {
        let book = LimitBook::default();
        let (here, there) = (Place::Guild(1.into()), Place::Guild(2.into()));
        assert_eq!(book.limit(here, TIER_3), TIER_3);
        assert_eq!(book.refused(here, 60 * MIB), TIER_2);
        assert_eq!(book.limit(here, TIER_3), TIER_2);
        assert_eq!(book.limit(there, TIER_3), TIER_3);
        assert_eq!(book.refused(here, 9 * MIB), 8 * MIB);
        assert_eq!(book.refused(here, 40 * MIB), 6 * MIB, "it never goes up again");
        assert_eq!(book.limit(here, MIB), MIB);
    }

    #[test]
    fn the_next_step_is_always_lower() {
        for refused in [u64::MAX, TIER_3, TIER_3 + 1, 10 * MIB, 8 * MIB, MIB, 100] {
            assert!(next_lower(refused) < refused);
        }
    }
}
