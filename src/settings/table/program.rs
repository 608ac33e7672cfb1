//! The program itself: its account at Discord, the programs it starts, what it keeps, its log.

use secrecy::SecretString;

use super::{FILE, NUMBER, PLAIN, SWITCH, Spec};
use crate::settings::parse;

/// These settings.
pub(super) const SPECS: &[Spec] = &[
    Spec {
        name: "DISCORD_TOKEN",
        path: "discord.token",
        example: "paste-the-token-here",
        takes: "token",
        secret: true,
        doc: "The bot's token, from https://discord.com/developers/applications → your application → Bot → Reset Token. \
              Only `boss-bot run` and `boss-bot worker` need it.",
        apply: |s, t| parse::token(t).map(|token| s.discord.token = Some(SecretString::from(token))),
        ..PLAIN
    },
    Spec {
        name: "PREFIX",
        path: "discord.prefix",
        default: Some("$"),
        takes: "up to 5 characters",
        doc: "What text commands start with: `$download <link>`. In `.env` write it in single quotes: '$'.",
        apply: |s, t| parse::prefix(t).map(|prefix| s.discord.prefix = prefix),
        ..PLAIN
    },
    Spec {
        name: "POSTED_ALREADY_HOURS",
        path: "discord.posted_already_hours",
        default: Some("24"),
        takes: "number, 0 to 720",
        doc: "For how many hours somebody who asks for a link that I have posted in the same channel is pointed to that \
              message, as long as it is there. `force` posts it again. 0: it is always posted again. No longer than jobs are \
              remembered (DATABASE_KEEP_DAYS).",
        apply: |s, t| parse::number(t, 0, 720).map(|hours| s.discord.posted_already = parse::hours(hours)),
        ..NUMBER
    },
    Spec {
        name: "DISCORD_API_ADDRESS",
        path: "discord.api_address",
        example: "127.0.0.1:8443",
        takes: "host:port",
        doc: "Connect here instead of discord.com's own address: for tests and for machines behind a relay. The name and \
              the certificate are still checked.",
        apply: |s, t| parse::address(t).map(|address| s.discord.api_address = Some(address)),
        ..PLAIN
    },
    Spec {
        name: "DATA_DIR",
        path: "tools.data_dir",
        default: Some("data"),
        takes: "folder",
        doc: "Where the bot keeps what it must remember.",
        apply: |s, t| parse::path(t).map(|path| s.tools.data_dir = path),
        ..PLAIN
    },
    Spec {
        name: "TOOLS_DIR",
        path: "tools.dir",
        example: "/opt/boss-bot/tools",
        takes: "folder",
        doc: "The private Python environment with yt-dlp and gallery-dl that `boss-bot doctor --fix` makes. Unset: `tools` \
              in DATA_DIR.",
        apply: |s, t| parse::path(t).map(|path| s.tools.dir = path),
        ..PLAIN
    },
    Spec {
        name: "FFMPEG_PATH",
        path: "tools.ffmpeg",
        example: "/usr/bin/ffmpeg",
        doc: "The ffmpeg to use. Unset: the first one in PATH.",
        apply: |s, t| parse::file(t).map(|path| s.tools.ffmpeg = Some(path)),
        ..FILE
    },
    Spec {
        name: "FFPROBE_PATH",
        path: "tools.ffprobe",
        example: "/usr/bin/ffprobe",
        doc: "The ffprobe to use. Unset: the first one in PATH.",
        apply: |s, t| parse::file(t).map(|path| s.tools.ffprobe = Some(path)),
        ..FILE
    },
    Spec {
        name: "TOOLS_WARM",
        path: "tools.warm",
        default: Some("true"),
        doc: "Keep yt-dlp and gallery-dl loaded once they were needed, each in a process of its own that forks a child for \
              every job. A job then starts several times faster; the two processes take about 100 MB together. With \
              false every job starts a process of its own.",
        apply: |s, t| parse::boolean(t).map(|on| s.tools.warm = on),
        ..SWITCH
    },
    Spec {
        name: "TOOLS_WARM_IDLE_SECONDS",
        path: "tools.warm_idle_seconds",
        default: Some("600"),
        takes: "seconds",
        doc: "A loaded tool that nobody has needed for so long ends; the next job that needs it loads it again.",
        apply: |s, t| parse::seconds(t).map(|time| s.tools.warm_idle = time),
        ..NUMBER
    },
    Spec {
        name: "DATABASE_URL",
        path: "database.url",
        example: "postgres://boss-bot:password@db.lan/boss-bot",
        takes: "sqlite:PATH or postgres://…",
        secret: true,
        doc: "Where jobs and statistics are kept. Unset: the SQLite file `boss-bot.db` in DATA_DIR, which needs no setup and \
              serves one machine. A PostgreSQL server serves a gateway and workers on several machines.",
        apply: |s, t| parse::database(t).map(|url| s.database.url = url),
        ..PLAIN
    },
    Spec {
        name: "DATABASE_KEEP_DAYS",
        path: "database.keep_days",
        default: Some("30"),
        takes: "number, 1 to 3650",
        doc: "How many days jobs that have ended stay in the database. Statistics by day stay for good.",
        apply: |s, t| parse::number(t, 1, 3650).map(|days: u64| s.database.keep = parse::hours(days * 24)),
        ..NUMBER
    },
    Spec {
        name: "DATABASE_LEASE_SECONDS",
        path: "database.lease_seconds",
        default: Some("15"),
        takes: "number, 1 to 3600",
        doc: "How long a worker may be silent before the jobs it had are taken over: by another one of the same database, \
              or by itself after a crash. With fewer it goes on sooner; a machine that hangs for longer than that \
              does work twice, which is never posted twice.",
        apply: |s, t| {
            parse::number(t, 1, 3600).map(|seconds| s.database.lease = std::time::Duration::from_secs(seconds))
        },
        ..NUMBER
    },
    Spec {
        name: "LOG_LEVEL",
        path: "log.level",
        default: Some("info"),
        takes: "level or filter",
        doc: "How much is logged: error, warn, info, debug or trace; or a filter such as `info,boss_bot::net=debug`. Tokens, \
              cookies and signed links are masked at every level.",
        apply: |s, t| parse::log_level(t).map(|level| s.log.level = level),
        ..PLAIN
    },
    Spec {
        name: "LOG_FORMAT",
        path: "log.format",
        default: Some("text"),
        takes: "text or json",
        doc: "How lines are written: `text` for people, `json` for log collectors.",
        apply: |s, t| parse::one_of(t, &["text", "json"]).map(|format| s.log.json = format == "json"),
        ..PLAIN
    },
];
