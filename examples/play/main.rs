//! Try the bot without Discord and without the internet: the real program against stand-ins for both, and a page on a
//! local port that looks like a channel. `cargo run --example play`; `PLAY_PORT` chooses the port. Ends with Ctrl-C.
//!
//! ```text
//! browser ── page, events, files ──▶ play ── world::discord ◀── boss-bot ──▶ world::web (X, Reddit, …)
//! ```

#[path = "../../tests/world/mod.rs"]
mod world;

mod channel;
mod files;

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    Json, Router,
    extract::{Query, State},
    http::StatusCode,
    response::{
        Html, IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
    routing::{get, post},
};
use futures_util::Stream;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};
use world::{
    bot::Bot,
    discord::{Channel, Discord, Id, MIB, User},
    samples::Samples,
    stage::World,
};

/// How long the bot is given to end before it is killed.
const GRACE: Duration = Duration::from_secs(12);

/// The guilds on the page: name and boost tier.
const GUILDS: [(&str, u8); 3] = [("Small talk", 0), ("Film club", 2), ("Studio", 3)];

struct Play {
    discord: Discord,
    visitor: User,
    channels: Vec<Channel>,
    samples: Samples,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let port = match std::env::var("PLAY_PORT") {
        Ok(port) => port.parse().map_err(|_| format!("PLAY_PORT is no port: {port:?}"))?,
        Err(_) => 0,
    };
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    let world = World::start().await;
    let discord = world.discord.clone();
    println!("making sample media (once) …");
    let placed = world.web.clone();
    let samples = tokio::task::spawn_blocking(move || Samples::install(&placed)).await?;
    let channels: Vec<Channel> =
        GUILDS.iter().map(|(name, tier)| discord.guild(name, *tier).channel("general")).collect();
    let visitor = discord.user("Robin");
    let direct = visitor.dm();
    let play =
        Play { channels: channels.into_iter().chain([direct]).collect(), visitor, samples, discord: discord.clone() };

    let level = std::env::var("LOG_LEVEL").unwrap_or_else(|_| "info".to_owned());
    let mut bot = Bot::start(world.dir(), world.env(&[("LOG_LEVEL", &level)]));
    let address = listener.local_addr()?;
    let router = Router::new()
        .route("/", get(|| async { Html(include_str!("page.html")) }))
        .route("/api/world", get(about))
        .route("/api/events", get(events))
        .route("/api/say", post(say))
        .route("/files/{id}/{name}", get(files::serve))
        .with_state(Arc::new(play));
    tokio::spawn(async move { axum::serve(listener, router).await });
    println!("open http://{address}/ in a browser; Ctrl-C ends it");

    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    // A bot that ends by itself ends this too, with its last words.
    bot.during(async {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
    .await;
    // Ctrl-C in a terminal reaches the bot as well; asking twice does no harm. Dropping it kills what is left.
    bot.terminate();
    let _ = tokio::time::timeout(GRACE, bot.ended()).await;
    println!("ended");
    Ok(())
}

/// What the page needs to know once: places, commands, samples.
async fn about(State(play): State<Arc<Play>>) -> Json<Value> {
    let samples: Vec<Value> = play
        .samples
        .all()
        .iter()
        .map(|sample| json!({"name": sample.name, "link": sample.link, "expect": sample.expect}))
        .collect();
    let places = play.discord.read(|state| -> Vec<Value> {
        let place = |channel: &Channel| {
            let guild = state.channels[&channel.id].guild;
            let known = guild.and_then(|id| state.guilds.get(&id));
            json!({
                "channel": channel.id.to_string(),
                "guild": known.map(|guild| guild.name.clone()),
                "tier": known.map(|guild| guild.tier),
                "name": state.channels[&channel.id].name,
                "limit_mib": state.announced_limit(guild) / MIB,
            })
        };
        play.channels.iter().map(place).collect()
    });
    let visitor = play.discord.read(|state| state.name_of(play.visitor.id));
    Json(json!({"places": places, "samples": samples, "visitor": visitor}))
}

#[derive(Deserialize)]
struct Where {
    channel: Id,
}

/// The channel as it is, again whenever it changes.
async fn events(
    State(play): State<Arc<Play>>,
    Query(Where { channel }): Query<Where>,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let changes = play.discord.changes();
    let stream = futures_util::stream::unfold((changes, String::new()), move |(mut changes, last)| {
        let play = play.clone();
        async move {
            loop {
                changes.mark_unchanged();
                let now = play.discord.read(|state| channel::show(state, channel)).to_string();
                if now != last {
                    return Some((Ok(Event::default().data(&now)), (changes, now)));
                }
                changes.changed().await.ok()?;
            }
        }
    });
    Sse::new(stream).keep_alive(KeepAlive::default())
}

#[derive(Deserialize)]
struct Line {
    /// As text: snowflakes are too large for the numbers of browsers.
    channel: String,
    text: String,
}

/// A line from the input box: a slash command, or a message.
async fn say(State(play): State<Arc<Play>>, Json(Line { channel, text }): Json<Line>) -> Response {
    let Some(place) = play.channels.iter().find(|place| place.id.to_string() == channel) else {
        return (StatusCode::NOT_FOUND, "no such channel").into_response();
    };
    let text = text.trim();
    let refused = match text.strip_prefix('/') {
        None if text.is_empty() => Some("nothing to say".to_owned()),
        None => {
            play.visitor.says(place, text).await;
            None
        }
        Some(line) => {
            let (command, options) = play.discord.read(|state| understand(&state.commands, line));
            play.visitor.try_slash(place, &command, options).err()
        }
    };
    Json(json!({"refused": refused})).into_response()
}

/// Reads `download <link> quality:720p` as Discord's input box would: `name:value` where the command has such an option,
/// everything else into its first option.
fn understand(commands: &[Value], line: &str) -> (String, Value) {
    let mut words = line.split_whitespace();
    let name = words.next().unwrap_or_default().to_owned();
    let options = commands.iter().find(|command| command["name"] == name.as_str() && command["type"] == 1);
    let options = options.and_then(|command| command["options"].as_array()).cloned().unwrap_or_default();
    let (mut filled, mut rest) = (Map::new(), Vec::new());
    for word in words {
        let named = word.split_once(':').and_then(|(key, value)| {
            options.iter().find(|option| option["name"] == key).map(|option| (key, option, value))
        });
        match named {
            Some((key, option, value)) => drop(filled.insert(key.to_owned(), typed(&option["type"], value))),
            None => rest.push(word),
        }
    }
    let first = options.iter().find(|option| option["name"].as_str().is_some_and(|name| !filled.contains_key(name)));
    if let Some(option) = first.filter(|_| !rest.is_empty()) {
        filled.insert(option["name"].as_str().unwrap_or_default().to_owned(), typed(&option["type"], &rest.join(" ")));
    }
    (name, filled.into())
}

/// A value of an option's type: whole number (4), boolean (5), number (10), else text.
fn typed(kind: &Value, text: &str) -> Value {
    match kind.as_u64() {
        Some(4) => text.parse::<i64>().map_or_else(|_| text.into(), Value::from),
        Some(5) => (text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("yes")).into(),
        Some(10) => text.parse::<f64>().map_or_else(|_| text.into(), Value::from),
        _ => text.into(),
    }
}
