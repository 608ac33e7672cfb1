//! What channels take and refuse.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Place, answer};
use crate::world::discord::{Fault, FaultAnswer, MIB, permissions};

#[tokio::test]
async fn messages_that_break_the_rules_are_refused_as_discord_does() {
    let place = Place::new().await;
    place.discord.enforce_rate_limits(false);
    let path = place.messages_path();
    let embeds = |count: usize, text: usize| -> Value { vec![json!({"description": "x".repeat(text)}); count].into() };
    for (what, payload, status, code) in [
        ("2000 characters", json!({"content": "é".repeat(2000)}), 200, 0),
        ("2001 characters", json!({"content": "é".repeat(2001)}), 400, 50035),
        ("nothing", json!({}), 400, 50006),
        ("blanks", json!({"content": " \n "}), 400, 50006),
        ("ten embeds", json!({"embeds": embeds(10, 10)}), 200, 0),
        ("eleven embeds", json!({"embeds": embeds(11, 10)}), 400, 50035),
        ("6001 characters of embeds", json!({"embeds": embeds(3, 2001)}), 400, 50035),
        ("an embed's link that is none", json!({"embeds": [{"title": "a", "url": "x"}]}), 400, 50035),
        ("silent", json!({"content": "a", "flags": 4096}), 200, 0),
        ("ephemeral in a channel", json!({"content": "a", "flags": 64}), 400, 50035),
        ("a nonce of 25", json!({"content": "a", "nonce": "n".repeat(25)}), 200, 0),
        ("a nonce of 26", json!({"content": "a", "nonce": "n".repeat(26)}), 400, 50035),
        ("enforced without nonce", json!({"content": "a", "enforce_nonce": true}), 400, 50035),
        ("a file that is not there", json!({"content": "a", "attachments": [{"id": 0}]}), 400, 50035),
        ("a reply to nothing", json!({"content": "a", "message_reference": {"message_id": "1"}}), 400, 50035),
        (
            "a list beside parse",
            json!({"content": "a", "allowed_mentions": {"parse": ["users"], "users": ["1"]}}),
            400,
            50035,
        ),
        (
            "new components with text",
            json!({"content": "a", "flags": 1 << 15, "components": [{"type": 10, "content": "b"}]}),
            400,
            50035,
        ),
        ("new components unannounced", json!({"content": "a", "components": [{"type": 12, "items": []}]}), 400, 50035),
    ] {
        let (got, body) = place.ask("POST", &path, payload).await;
        assert_eq!((got, body["code"].as_u64().unwrap_or(0)), (status, code), "{what}: {body}");
    }
    let (_, body) = place.ask("POST", &path, json!({"content": "x".repeat(2001)})).await;
    assert_eq!(body["errors"]["content"]["_errors"][0]["code"], "BASE_TYPE_MAX_LENGTH");
}

#[tokio::test]
async fn files_are_kept_as_received_and_their_rules_hold() {
    let place = Place::new().await;
    place.discord.enforce_rate_limits(false);
    let path = place.messages_path();
    let names: Vec<String> = (0..11).map(|n| format!("files[{n}]")).collect();
    let many = |count: usize| -> Vec<(&str, &str, usize)> {
        names[..count].iter().map(|n| (n.as_str(), "a.png", 3)).collect()
    };
    let listed = json!({"attachments": [{"id": 0, "filename": "ünder the sea.png", "description": "d".repeat(1024)}]});
    let (status, body) = place.upload(&path, listed, &many(1)).await;
    assert_eq!((status, &body["attachments"][0]["filename"]), (200, &json!("nder_the_sea.png")), "{body}");
    let kept = &place.general.messages()[0].attachments[0];
    assert_eq!((kept.bytes(), kept.sent_as.as_str()), (b"xxx".to_vec(), "ünder the sea.png"));
    for (what, payload, files, status, code) in [
        ("ten", json!({}), many(10), 200, 0),
        ("eleven", json!({}), many(11), 400, 50035),
        ("another number", json!({"attachments": [{"id": 1}]}), many(1), 400, 50035),
        ("long alt text", json!({"attachments": [{"id": 0, "description": "d".repeat(1025)}]}), many(1), 400, 50035),
        ("another field name", json!({}), vec![("file", "a", 1)], 400, 50035),
    ] {
        let (got, body) = place.upload(&path, payload, &files).await;
        assert_eq!((got, body["code"].as_u64().unwrap_or(0)), (status, code), "{what}: {body}");
    }
}

#[tokio::test]
async fn the_size_limit_is_per_file_and_by_place() {
    let place = Place::new().await;
    let limit = 10 * MIB as usize;
    let two = [("files[0]", "a", limit), ("files[1]", "b", limit)];
    assert_eq!(place.upload(&place.messages_path(), json!({}), &two).await.0, 200);
    let (status, body) = place.upload(&place.messages_path(), json!({}), &[("files[0]", "a", limit + 1)]).await;
    assert_eq!((status, &body["code"]), (413, &json!(40005)));
    let boosted = place.discord.guild("Tier two", 2);
    let path = format!("/channels/{}/messages", boosted.channel("general").id);
    assert_eq!(place.upload(&path, json!({}), &[("files[0]", "a", limit + 1)]).await.0, 200);
    boosted.really_takes(MIB);
    assert_eq!(place.upload(&path, json!({}), &[("files[0]", "a", limit + 1)]).await.0, 413);
    place.discord.set_default_limit(5);
    let path = format!("/channels/{}/messages", place.ann.dm().id);
    assert_eq!(place.upload(&path, json!({}), &[("files[0]", "a", 6)]).await.0, 413);
}

#[tokio::test]
async fn rights_tokens_and_ids_are_checked() {
    let place = Place::new().await;
    place.discord.enforce_rate_limits(false);
    let quiet = place.guild.channel("quiet");
    quiet.bot_may_not(permissions::ATTACH_FILES | permissions::EMBED_LINKS);
    let silent = place.guild.channel("silent");
    silent.bot_may_not(permissions::SEND_MESSAGES);
    let hidden = place.guild.channel("hidden");
    hidden.bot_may_not(permissions::VIEW_CHANNEL);
    let thread = place.guild.thread(&silent, "a thread");
    let asked = place.ann.says(&place.general, "hello").await.asked().unwrap();
    let hers = format!("{}/{}", place.messages_path(), asked.id);
    let text = json!({"content": "a"});
    for (method, path, payload, status, code) in [
        ("POST", format!("/channels/{}/messages", quiet.id), text.clone(), 200, 0),
        ("POST", format!("/channels/{}/messages", quiet.id), json!({"embeds": [{"title": "a"}]}), 403, 50013),
        ("POST", format!("/channels/{}/messages", silent.id), text.clone(), 403, 50013),
        ("POST", format!("/channels/{}/typing", silent.id), Value::Null, 403, 50013),
        ("POST", format!("/channels/{}/messages", thread.id), text.clone(), 200, 0),
        ("POST", format!("/channels/{}/messages", hidden.id), text.clone(), 403, 50001),
        ("GET", format!("/channels/{}", hidden.id), Value::Null, 403, 50001),
        ("POST", "/channels/1/messages".to_owned(), text.clone(), 404, 10003),
        ("PATCH", format!("{}/1", place.messages_path()), text.clone(), 404, 10008),
        ("PATCH", hers.clone(), text.clone(), 403, 50005),
        ("DELETE", hers.clone(), Value::Null, 403, 50013),
        ("GET", format!("/guilds/{}", place.guild.id), Value::Null, 200, 0),
        ("GET", "/guilds/1".to_owned(), Value::Null, 404, 10004),
        ("GET", "/users/1".to_owned(), Value::Null, 404, 10013),
    ] {
        let (got, body) = place.ask(method, &path, payload).await;
        assert_eq!((got, body["code"].as_u64().unwrap_or(0)), (status, code), "{method} {path}: {body}");
    }
    let path = format!("/channels/{}/messages", quiet.id);
    assert_eq!(place.upload(&path, json!({}), &[("files[0]", "a", 1)]).await.0, 403);
    let stranger = place.web().get("https://discord.com/api/v10/users/@me").header("authorization", "Bot nonsense");
    assert_eq!(answer(stranger).await, (401, json!({"message": "401: Unauthorized", "code": 0})));
    assert!(place.discord.unexpected().is_empty());
    assert_eq!(place.ask("GET", "/stickers/1", Value::Null).await.0, 404);
    assert_eq!(place.discord.unexpected(), ["GET /stickers/1"]);
    let logged = format!("{:?}", place.discord.requests());
    assert!(!logged.contains(&place.discord.token()), "the log keeps no tokens");
}

#[tokio::test]
async fn a_nonce_posts_once_even_when_the_answer_was_lost() {
    let place = Place::new().await;
    place.discord.fault(Fault::on("/messages", FaultAnswer::LoseAnswer).method("POST").times(1));
    let payload = json!({"content": "once", "nonce": "abc", "enforce_nonce": true});
    let lost = place.request("POST", &place.messages_path()).json(&payload).send().await;
    assert!(lost.is_err(), "{lost:?}");
    let (status, body) = place.ask("POST", &place.messages_path(), payload).await;
    assert_eq!((status, &body["content"]), (200, &json!("once")));
    assert_eq!(place.general.messages().len(), 1);
}

#[tokio::test]
async fn faults_break_what_they_are_told_to() {
    let place = Place::new().await;
    let path = place.messages_path();
    let wait = Duration::from_millis(1500);
    place.discord.fault(Fault::on("/messages", FaultAnswer::RateLimit { retry_after: wait, global: true }).times(1));
    place.discord.fault(Fault::on("/messages", FaultAnswer::Status(502)).times(1));
    place.discord.fault(Fault::on("/messages", FaultAnswer::TooLarge).times(1));
    place.discord.fault(Fault::on("/users", FaultAnswer::Reset).method("GET"));
    let response = place.request("POST", &path).json(&json!({"content": "a"})).send().await.unwrap();
    assert_eq!(response.headers()["retry-after"], "2");
    assert_eq!(response.headers()["x-ratelimit-global"], "true");
    let body: Value = response.json().await.unwrap();
    assert_eq!((&body["retry_after"], &body["global"]), (&json!(1.5), &json!(true)));
    assert_eq!(place.ask("POST", &path, json!({"content": "a"})).await, (502, Value::Null));
    assert_eq!(place.ask("POST", &path, json!({"content": "a"})).await.1["code"], 40005);
    assert_eq!(place.ask("POST", &path, json!({"content": "a"})).await.0, 200);
    assert!(place.request("GET", "/users/@me").send().await.is_err());
    place.discord.heal();
    assert_eq!(place.ask("GET", "/users/@me", Value::Null).await.0, 200);
}

#[tokio::test]
async fn buckets_are_announced_and_enforced_per_channel() {
    let place = Place::new().await;
    for left in (0..5).rev() {
        let response =
            place.request("POST", &place.messages_path()).json(&json!({"content": "a"})).send().await.unwrap();
        assert_eq!(response.headers()["x-ratelimit-remaining"], left.to_string().as_str());
        assert_eq!(response.headers()["x-ratelimit-limit"], "5");
    }
    let response = place.request("POST", &place.messages_path()).json(&json!({"content": "a"})).send().await.unwrap();
    assert_eq!(response.status(), 429);
    assert!(response.headers().contains_key("retry-after"));
    let body: Value = response.json().await.unwrap();
    assert!(body["retry_after"].as_f64().is_some_and(|wait| wait > 0.0 && wait <= 5.0), "{body}");
    let elsewhere = format!("/channels/{}/messages", place.guild.channel("elsewhere").id);
    assert_eq!(place.ask("POST", &elsewhere, json!({"content": "a"})).await.0, 200);
    assert_eq!((place.general.messages().len(), place.discord.rate_limited()), (5, 1));
}

#[tokio::test]
async fn only_allowed_mentions_ping() {
    let place = Place::new().await;
    let text = format!("<@{}> and @everyone", place.ann.id);
    let asked = place.ann.says(&place.general, "hello").await.asked().unwrap();
    let reply = json!({"message_id": asked.id.to_string()});
    for (allowed, pinged) in [
        (Value::Null, vec!["@everyone", "ann"]),
        (json!({"parse": []}), vec![]),
        (json!({"parse": ["users"]}), vec!["ann"]),
        (json!({"parse": [], "replied_user": true}), vec!["ann"]),
    ] {
        let payload = json!({"content": text, "allowed_mentions": allowed, "message_reference": reply});
        let (status, body) = place.ask("POST", &place.messages_path(), payload).await;
        assert_eq!(status, 200, "{body}");
        assert_eq!(place.general.by_the_bot().last().unwrap().pinged, pinged, "{allowed}");
    }
}

#[tokio::test]
async fn edits_keep_the_files_that_they_do_not_drop() {
    let place = Place::new().await;
    let (_, made) =
        place.upload(&place.messages_path(), json!({}), &[("files[0]", "a", 1), ("files[1]", "b", 1)]).await;
    let path = format!("{}/{}", place.messages_path(), made["id"].as_str().unwrap());
    let files = |body: &Value| -> Vec<String> {
        body["attachments"]
            .as_array()
            .unwrap()
            .iter()
            .map(|file| file["filename"].as_str().unwrap().to_owned())
            .collect()
    };
    let (_, body) = place.ask("PATCH", &path, json!({"content": "text"})).await;
    assert_eq!(files(&body), ["a", "b"]);
    let second = &body["attachments"][1]["id"];
    let (_, body) = place.ask("PATCH", &path, json!({"attachments": [{"id": second}]})).await;
    assert_eq!(files(&body), ["b"]);
    let (status, body) = place.ask("PATCH", &path, json!({"attachments": [{"id": "5"}]})).await;
    assert_eq!((status, &body["code"]), (400, &json!(50035)));
    let (status, body) = place.ask("PATCH", &path, json!({"attachments": [], "content": ""})).await;
    assert_eq!((status, &body["code"]), (400, &json!(50006)));
    assert_eq!(place.general.messages()[0].history.len(), 3);
}
