//! Help, usage errors, completions.

use super::{boss_bot, folder};

#[tokio::test]
async fn every_subcommand_has_help_with_examples() {
    let dir = folder();
    for command in [
        &["run"][..],
        &["worker"],
        &["fetch"],
        &["batch"],
        &["fit"],
        &["explain"],
        &["doctor"],
        &["config", "show"],
        &["config", "check"],
        &["db", "check"],
        &["db", "backup"],
        &["db", "restore"],
        &["recovery", "list"],
        &["recovery", "show"],
        &["recovery", "create"],
        &["recovery", "run"],
        &["completions"],
    ] {
        let ran = boss_bot(dir.path(), &[command, &["--help"]].concat(), &[]).await;
        assert_eq!(ran.code, 0, "{command:?}");
        assert!(ran.out.contains("Examples:") && ran.out.contains("boss-bot"), "{command:?}: {}", ran.out);
    }
    let ran = boss_bot(dir.path(), &["--help"], &[]).await;
    assert!(ran.out.contains("Exit codes:"), "{}", ran.out);
}

#[tokio::test]
async fn wrong_usage_ends_with_2_and_says_what_is_wrong() {
    let dir = folder();
    for (args, told) in [
        (&["fetch"][..], "<URL>"),
        (&["explode"], "explode"),
        (&["run", "--role", "everything"], "gateway"),
        (&["worker", "--slots", "0"], "1..=64"),
        (&["fetch", "--max-size", "10 parsecs", "https://x.com/a/status/1"], "expected a size"),
        (&["fetch", "--quality", "8K", "https://x.com/a/status/1"], "1080p"),
    ] {
        let ran = boss_bot(dir.path(), args, &[]).await;
        assert_eq!(ran.code, 2, "{args:?}: {}", ran.err);
        assert!(ran.err.contains(told) && ran.out.is_empty(), "{args:?}: {}", ran.err);
    }
}

#[tokio::test]
async fn without_a_token_run_says_where_to_get_one() {
    let dir = folder();
    for args in [&["run"][..], &["run", "--role", "gateway"], &["worker"]] {
        let ran = boss_bot(dir.path(), args, &[]).await;
        assert_eq!(ran.code, 4, "{args:?}");
        assert!(ran.err.contains("DISCORD_TOKEN is not set"), "{}", ran.err);
        assert!(ran.err.contains("https://discord.com/developers/applications"), "{}", ran.err);
    }
}

#[tokio::test]
async fn completions_know_the_subcommands() {
    let dir = folder();
    for shell in ["bash", "zsh", "fish"] {
        let ran = boss_bot(dir.path(), &["completions", shell], &[]).await;
        assert_eq!(ran.code, 0);
        assert!(ran.out.contains("explain") && ran.out.contains("metadata-only"), "{shell}");
    }
}
