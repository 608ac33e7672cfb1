//! Many kills at random moments over many jobs. Short here; `make crash-test` does it at length, on both databases.
//!
//! `BOSS_BOT_CRASH_KILLS`, `_JOBS`, `_SEED` and `_DATABASE` (`sqlite` or `postgres`) change what is done; the seed is printed.

use std::time::{Duration, SystemTime};

use serde_json::json;

use super::{arrives, crash, ends_clean, has_ended, hashes};
use crate::world::{
    discord::{Channel, Conversation, Message},
    media::{self, Media},
    platforms::Tweet,
    postgres,
    stage::World,
};

/// SplitMix64: the same numbers for the same seed, everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, most: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % most
    }
}

fn told(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// Something that was asked for, and what must come of it.
struct Asked {
    call: Conversation,
    link: String,
    expected: Vec<Media>,
}

impl Asked {
    fn given_up(messages: &[Message]) -> bool {
        messages.iter().any(|message| message.content.contains("Please ask again"))
    }

    fn is_settled(&self, messages: &[Message]) -> bool {
        let files: usize = messages.iter().map(|message| message.attachments.len()).sum();
        messages.iter().all(has_ended) && (files >= self.expected.len() || Self::given_up(messages))
    }
}

/// A file, or a post whose pictures go into two or three messages.
fn place(world: &World, number: u64) -> (String, Vec<Media>) {
    // Few different files, many jobs: making media is not what is tested.
    let seed = 2000 + (number % 24) as u32 * 4;
    match number % 3 {
        0 => {
            let clip = media::small_video(seed);
            (world.web.file("files.example", &format!("/{number}.mp4"), &clip), vec![clip])
        }
        pictures => {
            let images: Vec<Media> = (0..=pictures as u32).map(|n| media::jpg(seed + n)).collect();
            (world.web.x().post(Tweet::images(&images).by("ann", "Ann").text("Some")), images)
        }
    }
}

async fn ask(world: &World, channel: &Channel, link: &str, slash: bool) -> Conversation {
    let ann = world.discord.user("ann");
    let call = match slash {
        true => ann.slash(channel, "download", json!({"url": link})).await,
        false => ann.says(channel, &format!("$download {link}")).await,
    };
    // Killed before it is acknowledged, it would be answered outside of this conversation: another story's.
    call.acknowledged().await;
    call
}

#[tokio::test(flavor = "multi_thread")]
async fn random_kills_lose_nothing_and_post_nothing_twice() {
    let (kills, jobs) = (told("BOSS_BOT_CRASH_KILLS", 5), told("BOSS_BOT_CRASH_JOBS", 10));
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("a clock");
    let seed = told("BOSS_BOT_CRASH_SEED", now.as_millis() as u64);
    let on_postgres = std::env::var("BOSS_BOT_CRASH_DATABASE").is_ok_and(|name| name == "postgres");
    println!("{kills} kills, {jobs} jobs, BOSS_BOT_CRASH_SEED={seed}");
    let mut random = Random(seed);
    let world = World::start().await;
    world.discord.enforce_rate_limits(false);
    let database =
        if on_postgres { postgres::database().await } else { format!("sqlite:{}/jobs.db", world.dir().display()) };
    let env = [
        ("DATABASE_URL", database.as_str()),
        ("DATABASE_LEASE_SECONDS", "2"),
        ("UPLOAD_MAX_FILES_PER_BATCH", "1"),
        ("MAX_CONCURRENT_DOWNLOADS", "3"),
        ("LOG_LEVEL", "info"),
    ];
    let guild = world.discord.guild("crash", 0);
    let channels: Vec<Channel> = (0..5).map(|n| guild.channel(&format!("channel-{n}"))).collect();
    let mut asked: Vec<Asked> = Vec::new();
    for round in 0..kills {
        let mut bot = world.bot(&env).await;
        let share = jobs * (round + 1) / kills;
        bot.during(async {
            while (asked.len() as u64) < share {
                let number = asked.len() as u64;
                let (link, expected) = place(&world, number);
                let channel = &channels[random.below(5) as usize];
                let call = ask(&world, channel, &link, random.below(2) == 0).await;
                asked.push(Asked { call, link, expected });
            }
            let enough = world.discord.requests().len() as u64 + random.below(30);
            let idle = |asked: &[Asked]| asked.iter().all(|one| one.is_settled(&one.call.messages()));
            let mut changes = world.discord.changes();
            while (world.discord.requests().len() as u64) < enough && !idle(&asked) {
                changes.changed().await.expect("Discord runs");
            }
            // The moment of a kill has no event.
            tokio::time::sleep(Duration::from_millis(random.below(120))).await;
        })
        .await;
        crash(&mut bot).await;
        println!("kill {}: {} asked", round + 1, asked.len());
    }
    let mut bot = world.bot(&env).await;
    let mut given_up = 0;
    for one in &asked {
        bot.during(one.call.settles("an end", |messages| one.is_settled(messages))).await;
        let messages = one.call.messages();
        let wanted: Vec<String> = one.expected.iter().map(Media::sha256).collect();
        if Asked::given_up(&messages) {
            given_up += 1;
            assert!(wanted.starts_with(&hashes(&messages)), "what came, came once and in order: {messages:?}");
            let again = bot.during(ask(&world, &channels[0], &one.link, true)).await;
            bot.during(arrives(&again, &one.expected)).await;
        } else {
            assert_eq!(hashes(&messages), wanted, "{}: {messages:#?}", one.link);
        }
    }
    println!("{} jobs whole, {given_up} given up after three crashes each and asked for again", asked.len());
    ends_clean(&world, bot).await;
}
