//! `config show`, `config check`, and what every command says about settings that cannot be used.

use serde_json::Value;

use super::{Ran, boss_bot, folder};

fn entry(ran: &Ran, name: &str) -> Value {
    let entries: Vec<Value> = serde_json::from_str(&ran.out).unwrap();
    entries.into_iter().find(|entry| entry["name"] == name).unwrap_or_else(|| panic!("no {name}: {}", ran.out))
}

#[tokio::test]
async fn config_show_masks_secrets_and_names_origins() {
    let dir = folder();
    std::fs::create_dir(dir.path().join("config")).unwrap();
    std::fs::write(dir.path().join("config/local.toml"), "[downloads]\nmax_concurrent = 2\n").unwrap();
    std::fs::write(dir.path().join(".env"), "# mine\nDISCORD_TOKEN=hunter2.hunter2\nLOG_LEVEL=warn\n").unwrap();
    let env = [
        ("REDDIT_CLIENT_SECRET", "hunter2-too"),
        ("LOG_LEVEL", "debug"),
        ("NETWORK_PROXY", "http://a:hunter2@p:1"),
        ("DATABASE_URL", "postgres://a:hunter2@db/jobs"),
    ];
    let ran = boss_bot(dir.path(), &["config", "show", "--json"], &env).await;
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(!ran.out.contains("hunter2") && !ran.err.contains("hunter2"), "{}", ran.out);
    for (name, value, source) in [
        ("DISCORD_TOKEN", "[masked]", ".env line 2"),
        ("REDDIT_CLIENT_SECRET", "[masked]", "environment"),
        ("DATABASE_URL", "[masked]", "environment"),
        ("LOG_LEVEL", "debug", "environment"),
        ("MAX_CONCURRENT_DOWNLOADS", "2", "config/local.toml"),
        ("UPLOAD_BATCH_SIZE_MB", "25", "default"),
    ] {
        let entry = entry(&ran, name);
        assert_eq!((entry["value"].as_str(), entry["source"].as_str()), (Some(value), Some(source)), "{name}");
    }
    let text = boss_bot(dir.path(), &["config", "show", "--changed"], &env).await.out;
    assert!(!text.contains("hunter2") && !text.contains("UPLOAD_BATCH_SIZE_MB"), "{text}");
    assert!(text.lines().any(|line| line.contains("DISCORD_TOKEN") && line.contains(".env line 2")), "{text}");
}

#[tokio::test]
async fn config_check_names_every_wrong_setting_with_value_and_source() {
    let dir = folder();
    std::fs::write(dir.path().join(".env"), "UPLOAD_MAX_FILES_PER_BATCH=11\nDISCORD_TOKEN='hunter2 hunter2'\n")
        .unwrap();
    let env = [("GALLERY_DL_COOKIES_FILE", "/nowhere/cookies.txt"), ("DISCORD_TOKN", "hunter2")];
    let ran = boss_bot(dir.path(), &["config", "check"], &env).await;
    assert_eq!(ran.code, 4);
    for told in [
        "UPLOAD_MAX_FILES_PER_BATCH = \"11\" (.env line 1)",
        "DISCORD_TOKEN = \"[masked]\" (.env line 2)",
        "GALLERY_DL_COOKIES_FILE = \"/nowhere/cookies.txt\" (environment)",
        "DISCORD_TOKN, did you mean DISCORD_TOKEN?",
    ] {
        assert!(ran.err.contains(told), "{told} in {}", ran.err);
    }
    assert!(!ran.err.contains("hunter2"), "{}", ran.err);
    let ran = boss_bot(dir.path(), &["config", "check", "--json"], &env).await;
    assert_eq!((ran.code, ran.lines()[0]["problems"].as_array().map(Vec::len)), (4, Some(3)), "{}", ran.out);
    let other = folder();
    let ran = boss_bot(other.path(), &["config", "check"], &[]).await;
    assert_eq!(ran.code, 0, "{}", ran.err);
}

#[tokio::test]
async fn files_that_settings_name_are_read_before_anything_starts() {
    let dir = folder();
    std::fs::write(dir.path().join("gallery-dl.conf"), "{ broken").unwrap();
    std::fs::write(dir.path().join("ca.pem"), "no certificate").unwrap();
    for (name, file) in [("GALLERY_DL_CONFIG_FILE", "gallery-dl.conf"), ("NETWORK_CA_FILE", "ca.pem")] {
        let env = [(name, file), ("DISCORD_TOKEN", "some-token")];
        for args in [&["config", "check"][..], &["run"], &["fetch", "https://x.com/a/status/1"]] {
            let ran = boss_bot(dir.path(), args, &env).await;
            assert_eq!(ran.code, 4, "{args:?}: {}", ran.err);
            assert!(ran.err.contains(name) && ran.err.contains(file), "{args:?}: {}", ran.err);
        }
    }
}

#[tokio::test]
async fn flags_that_this_build_can_follow_are_not_pointed_out() {
    let dir = folder();
    let env = [("BILIBILI_USE_API_CLIENT", "true"), ("TWITTER_USE_API_CLIENT", "true")];
    let ran = boss_bot(dir.path(), &["config", "check"], &env).await;
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(!ran.err.contains("_USE_API_CLIENT"), "{}", ran.err);
}

#[tokio::test]
async fn no_command_starts_with_settings_it_would_ignore() {
    let dir = folder();
    for args in [&["run"][..], &["fetch", "https://x.com/a/status/1"], &["explain", "https://x.com/a/status/1"]] {
        let ran = boss_bot(dir.path(), args, &[("MAX_FILE_SIZE", "big")]).await;
        assert_eq!(ran.code, 4, "{args:?}");
        assert!(ran.err.contains("MAX_FILE_SIZE = \"big\" (environment)") && ran.out.is_empty(), "{}", ran.err);
    }
    let missing = ["--config", "nowhere.toml", "config", "check"];
    let ran = boss_bot(dir.path(), &missing, &[]).await;
    assert_eq!(ran.code, 4);
    assert!(ran.err.contains("nowhere.toml: there is no such file"), "{}", ran.err);
}

#[tokio::test]
async fn a_config_file_and_the_command_line_are_read() {
    let dir = folder();
    std::fs::write(dir.path().join("mine.toml"), "[discord]\nprefix = \"!\"\n").unwrap();
    let args = ["--config", "mine.toml", "--log-level", "trace", "config", "show", "--json"];
    let ran = boss_bot(dir.path(), &args, &[("LOG_LEVEL", "warn")]).await;
    assert_eq!(entry(&ran, "PREFIX")["source"], "mine.toml");
    assert_eq!(entry(&ran, "LOG_LEVEL")["source"], "command line");
}

#[tokio::test]
async fn half_a_store_is_no_store() {
    let dir = folder();
    let here = dir.path().display().to_string();
    for (env, told) in [
        (vec![("STORE_DIR", here.as_str())], "STORE_URL belongs to it and is not set"),
        (vec![("STORE_URL", "https://media.example/")], "STORE_DIR belongs to it and is not set"),
        (vec![("S3_BUCKET", "media")], "S3_URL belongs to it and is not set"),
        (vec![("S3_PUBLIC_URL", "https://s3.example")], "S3_BUCKET belongs to it and is not set"),
        (
            vec![("S3_BUCKET", "media"), ("S3_URL", "https://s3.example"), ("S3_ACCESS_KEY_ID", "me")],
            "S3_SECRET_ACCESS_KEY belongs to it and is not set",
        ),
        (vec![("S3_BUCKET", "media/public")], "expected a bucket's name"),
        (vec![("STORE_DIR", "/nowhere/media"), ("STORE_URL", "https://media.example/")], "expected a folder"),
        (
            vec![("STORE_DIR", here.as_str()), ("STORE_URL", "ftp://media.example/")],
            "expected an http or https address",
        ),
        (
            vec![("STORE_DIR", here.as_str()), ("STORE_URL", "https://m.example/?a=b")],
            "expected an http or https address",
        ),
    ] {
        let ran = boss_bot(dir.path(), &["config", "check"], &env).await;
        assert_eq!(ran.code, 4, "{env:?}");
        assert!(ran.err.contains(told) || ran.out.contains(told), "{env:?}: {}{}", ran.out, ran.err);
    }
    let env = [("STORE_DIR", here.as_str()), ("STORE_URL", "https://media.example/boss")];
    assert_eq!(boss_bot(dir.path(), &["config", "check"], &env).await.code, 0);
}
