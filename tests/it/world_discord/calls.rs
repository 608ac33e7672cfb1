//! What interactions and commands take and refuse.

use std::time::Duration;

use serde_json::{Value, json};

use super::Place;
use crate::world::discord::{Channel, Conversation};

/// The routes of an interaction, as the bot would ask them.
struct Answers {
    callback: String,
    follow_up: String,
    original: String,
}

async fn asked(place: &Place, user_in: &Channel) -> (Conversation, Answers) {
    place.ask("PUT", &format!("/applications/{}/commands", place.discord.bot_id()), commands()).await;
    let call = place.ann.slash(user_in, "download", json!({"url": "x"})).await;
    let interaction = call.interaction().unwrap();
    let webhook = format!("/webhooks/{}/{}", place.discord.bot_id(), interaction.token);
    let callback = format!("/interactions/{}/{}/callback", interaction.id, interaction.token);
    (call, Answers { callback, original: format!("{webhook}/messages/@original"), follow_up: webhook })
}

fn commands() -> Value {
    json!([{"name": "download", "description": "Get media", "options": [
        {"name": "url", "description": "A link", "type": 3, "required": true},
    ]}])
}

#[tokio::test]
async fn an_interaction_is_answered_once_within_three_seconds_and_for_fifteen_minutes() {
    let place = Place::new().await;
    place.discord.enforce_rate_limits(false);
    let (text, defer) = (json!({"content": "a"}), json!({"type": 5}));
    let (call, to) = asked(&place, &place.general).await;
    let code = |(status, body): (u16, Value)| (status, body["code"].as_u64().unwrap_or(0));
    assert_eq!(code(place.ask("POST", &to.follow_up, text.clone()).await), (404, 10015), "not answered yet");
    assert_eq!(code(place.ask("PATCH", &to.original, text.clone()).await), (404, 10015));
    let wrong = json!({"type": 5, "data": {"flags": 4}});
    assert_eq!(code(place.ask("POST", &to.callback, wrong).await), (400, 50035), "a flag that deferring does not take");
    assert_eq!(code(place.ask("POST", &to.callback, json!({"type": 8, "data": {"choices": []}})).await), (400, 50035));
    assert_eq!(code(place.ask("POST", &to.callback, defer.clone()).await), (204, 0));
    assert_eq!(code(place.ask("POST", &to.callback, defer.clone()).await), (400, 40060));
    let (_, thinking) = place.ask("GET", &to.original, Value::Null).await;
    assert_eq!(thinking["flags"], 128);
    let (_, first) = place.ask("POST", &to.follow_up, text.clone()).await;
    assert_eq!(first["id"], thinking["id"], "the first follow-up takes the place of the thinking one");
    let (_, second) = place.ask("POST", &to.follow_up, text.clone()).await;
    assert_ne!(second["id"], thinking["id"]);
    assert_eq!(call.messages().len(), 2);
    assert_eq!(code(place.ask("DELETE", &to.original, Value::Null).await), (204, 0));
    assert_eq!(code(place.ask("PATCH", &to.original, text.clone()).await), (404, 10008));
    place.discord.expire_tokens();
    assert_eq!(code(place.ask("POST", &to.follow_up, text.clone()).await), (401, 50027));

    let (_, late) = asked(&place, &place.general).await;
    place.discord.age_interactions(Duration::from_secs(4));
    assert_eq!(code(place.ask("POST", &late.callback, defer.clone()).await), (404, 10062));
    let never = late.callback.replace("aW50", "aX50");
    assert_eq!(code(place.ask("POST", &never, defer.clone()).await), (404, 10062));
    assert_eq!(code(place.ask("POST", "/webhooks/1/x", text).await), (404, 10015));
}

#[tokio::test]
async fn an_interaction_takes_files_up_to_its_own_limit() {
    let place = Place::new().await;
    place.discord.set_default_limit(10);
    place.ann.may_upload(20);
    let (call, to) = asked(&place, &place.general).await;
    let said = |flags: u64| json!({"type": 4, "data": {"content": "a", "flags": flags}});
    let (status, body) = place.upload(&to.callback, said(0), &[("files[0]", "a", 21)]).await;
    assert_eq!((status, &body["code"]), (413, &json!(40005)));
    assert_eq!(place.upload(&to.callback, said(64), &[("files[0]", "a", 20)]).await.0, 204);
    let private = call.final_message().await;
    assert!(private.is_ephemeral());
    let path = format!("{}/{}", place.messages_path(), private.id);
    assert_eq!(place.ask("PATCH", &path, json!({"content": "b"})).await.0, 404, "channel routes do not see it");
}

#[tokio::test]
async fn brought_along_by_a_user_the_bot_has_five_follow_ups_and_no_channel() {
    let place = Place::new().await;
    place.discord.enforce_rate_limits(false);
    place.guild.removes_the_bot();
    let (_, to) = asked(&place, &place.general).await;
    let text = json!({"content": "a"});
    assert_eq!(place.ask("POST", &to.callback, json!({"type": 4, "data": text})).await.0, 204);
    for _ in 0..5 {
        assert_eq!(place.ask("POST", &to.follow_up, text.clone()).await.0, 200);
    }
    assert_eq!(place.ask("POST", &to.follow_up, text.clone()).await.0, 400);
    assert_eq!(place.ask("POST", &place.messages_path(), text).await.0, 403);
}

#[tokio::test]
async fn commands_are_checked_and_keep_their_ids() {
    let place = Place::new().await;
    let path = format!("/applications/{}/commands", place.discord.bot_id());
    let (status, first) = place.ask("PUT", &path, commands()).await;
    assert_eq!(status, 200);
    let (_, second) = place.ask("PUT", &path, commands()).await;
    assert_eq!(first[0]["id"], second[0]["id"]);
    place.discord.enforce_rate_limits(false);
    let option = |more: Value| json!([{"name": "a", "description": "b", "options": more}]);
    let choices: Vec<Value> = (0..26).map(|n| json!({"name": n.to_string(), "value": n.to_string()})).collect();
    for (what, list) in [
        ("upper case", json!([{"name": "Download", "description": "a"}])),
        ("no description", json!([{"name": "download", "description": ""}])),
        ("twice", json!([{"name": "a", "description": "b"}, {"name": "a", "description": "b"}])),
        ("many choices", option(json!([{"name": "q", "description": "d", "type": 3, "choices": choices}]))),
        (
            "required after optional",
            option(json!([
                {"name": "q", "description": "d", "type": 3},
                {"name": "r", "description": "d", "type": 3, "required": true},
            ])),
        ),
    ] {
        let (status, body) = place.ask("PUT", &path, list).await;
        assert_eq!((status, &body["code"]), (400, &json!(50035)), "{what}: {body}");
    }
    assert_eq!(place.discord.commands().len(), 1, "a refused list changes nothing");
}
