//! `doctor`: what is missing, and what to do about it.

use serde_json::Value;

use super::{Ran, boss_bot, folder};
use crate::world::{
    bot::tools_dir,
    discord::Discord,
    s3::{S3, SECRET},
    tls::Authority,
};

fn check(ran: &Ran, name: &str) -> Value {
    let found = ran.lines()[0]["checks"].as_array().unwrap().iter().find(|check| check["name"] == name).cloned();
    found.unwrap_or_else(|| panic!("no {name}: {}", ran.out))
}

#[tokio::test]
async fn the_doctor_finds_what_is_there_and_names_the_versions() {
    let dir = folder();
    let tools = tools_dir().display().to_string();
    let ran = boss_bot(dir.path(), &["doctor", "--json"], &[("TOOLS_DIR", &tools)]).await;
    assert_eq!(ran.code, 0, "{}\n{}", ran.out, ran.err);
    for name in ["settings", "yt-dlp", "gallery-dl", "ffmpeg", "ffprobe", "downloads", "data", "database"] {
        assert_eq!(check(&ran, name)["state"], "ok", "{}", ran.out);
    }
    assert!(check(&ran, "ffmpeg")["found"].as_str().unwrap().contains("libx264"));
    assert_eq!(check(&ran, "Discord")["state"], "warn", "no token is no failure: fetch needs none");
    assert!(dir.path().read_dir().unwrap().next().is_none(), "looking leaves nothing behind");
}

#[tokio::test]
async fn hardware_that_was_allowed_is_tried() {
    let dir = folder();
    let doctor = async |name| boss_bot(dir.path(), &["doctor", "--json"], &[("COMPRESSION_HARDWARE", name)]).await;
    let ran = doctor("videotoolbox").await;
    let found = check(&ran, "hardware");
    if cfg!(not(target_os = "macos")) {
        assert_eq!(found["state"], "warn", "{found}");
        assert!(found["found"].as_str().unwrap().starts_with("h264_videotoolbox: "), "{found}");
        assert!(found["advice"].as_str().unwrap().contains("in software"), "{found}");
    }
    let ran = doctor("off").await;
    assert!(!ran.out.contains("\"hardware\""), "{}", ran.out);
    let ran = doctor("magic").await;
    assert_eq!(ran.code, 4, "{}", ran.out);
}

#[tokio::test]
async fn missing_programs_are_named_with_what_to_do() {
    let dir = folder();
    let empty = folder();
    let path = empty.path().display().to_string();
    let ran = boss_bot(dir.path(), &["doctor"], &[("PATH", &path)]).await;
    assert_eq!(ran.code, 9, "{}", ran.out);
    assert!(ran.out.contains("✗ yt-dlp") && ran.out.contains("boss-bot doctor --fix"), "{}", ran.out);
    assert!(ran.out.contains("✗ ffmpeg") && ran.out.contains("apt-get install ffmpeg"), "{}", ran.out);
}

#[tokio::test]
async fn wrong_settings_do_not_keep_the_doctor_from_looking_on() {
    let dir = folder();
    let ran = boss_bot(dir.path(), &["doctor"], &[("MAX_FILE_SIZE", "big")]).await;
    assert_eq!(ran.code, 4, "{}", ran.out);
    assert!(ran.out.contains("MAX_FILE_SIZE = \"big\"") && ran.out.contains("ffprobe"), "{}", ran.out);
}

#[tokio::test]
async fn the_token_is_checked_against_discord_and_never_shown() {
    let dir = folder();
    let authority = Authority::new();
    let discord = Discord::start(&authority).await;
    std::fs::write(dir.path().join("ca.pem"), authority.pem()).unwrap();
    let address = discord.address().to_string();
    let ask = async |token: &str| {
        let env = [("DISCORD_TOKEN", token), ("DISCORD_API_ADDRESS", &address), ("NETWORK_CA_FILE", "ca.pem")];
        let ran = boss_bot(dir.path(), &["doctor", "--json"], &env).await;
        assert!(!ran.out.contains(token) && !ran.err.contains(token), "{}", ran.out);
        check(&ran, "Discord")
    };
    let good = ask(&discord.token()).await;
    assert_ne!(good["state"], "fail", "{good}");
    assert!(good["advice"].as_str().unwrap().contains("permissions=274878024704"), "{good}");
    let wrong = ask("not-the-token-it-should-be").await;
    assert_eq!(wrong["state"], "fail", "{wrong}");
    assert!(wrong["advice"].as_str().unwrap().contains("Reset Token"), "{wrong}");
    // Nobody listens on port 9: offline is a warning.
    let env = [("DISCORD_TOKEN", "some-token"), ("DISCORD_API_ADDRESS", "127.0.0.1:9")];
    let ran = boss_bot(dir.path(), &["doctor", "--json"], &env).await;
    assert_eq!(check(&ran, "Discord")["state"], "warn", "{}", ran.out);
}

#[tokio::test]
async fn the_store_is_looked_at_when_there_is_one() {
    let dir = folder();
    let store = folder();
    std::fs::write(store.path().join(format!("{:032x}-clip.mp4", 7)), [0; 2048]).unwrap();
    let path = store.path().display().to_string();
    let env = [("STORE_DIR", path.as_str()), ("STORE_URL", "https://media.example")];
    let ran = boss_bot(dir.path(), &["doctor", "--json"], &env).await;
    let found = check(&ran, "store");
    assert_eq!(
        (&found["state"], &found["found"]),
        (&"ok".into(), &"https://media.example/ for 24 h: 1 files, 2 KB of 10.0 GB".into())
    );
    let ran = boss_bot(dir.path(), &["doctor", "--json"], &[]).await;
    assert!(!ran.out.contains("\"store\""), "{}", ran.out);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_bucket_is_tried_when_there_is_one() {
    let dir = folder();
    let s3 = S3::start().await;
    let settings = s3.settings();
    let mut env: Vec<(&str, &str)> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let ran = boss_bot(dir.path(), &["doctor", "--json"], &env).await;
    assert_eq!(check(&ran, "bucket")["state"], "ok", "{}", ran.out);
    assert_eq!(check(&ran, "store")["found"], "signed links into the bucket for 24 h: 0 files, 0 B of 10.0 GB");
    assert!(s3.objects().is_empty(), "nothing is left behind");
    env.push(("S3_SECRET_ACCESS_KEY", "another"));
    let ran = boss_bot(dir.path(), &["doctor", "--json"], &env).await;
    let found = check(&ran, "bucket")["found"].to_string();
    assert!(found.contains("the S3 store answered 403 Forbidden (SignatureDoesNotMatch)"), "{found}");
    assert!(!ran.out.contains("another"), "{}", ran.out);
    env.push(("S3_SECRET_ACCESS_KEY", SECRET));
    env.push(("S3_URL", "http://127.0.0.1:9"));
    let ran = boss_bot(dir.path(), &["doctor", "--json"], &env).await;
    assert_eq!(check(&ran, "bucket")["state"], "fail", "{}", ran.out);
    assert!(check(&ran, "bucket")["advice"].to_string().contains("S3_URL"), "{}", ran.out);
}
