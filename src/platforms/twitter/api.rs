//! Asking X: as a guest through the web client's own API, and through the syndication API that serves embedded posts
//! when that is refused.

use serde_json::{Value, json};
use tokio::sync::Mutex;
use url::Url;

use super::parse::{self, Empty, Found, Trouble};
use crate::{
    model::{Error, MediaMetadata, Resource, Result},
    platforms::{
        ExtractContext,
        common::{http, json},
    },
};

/// Posts of one thread that are asked for: each is a request.
const MAX_THREAD: usize = 25;

const GUEST_TOKEN: &str = "https://api.x.com/1.1/guest/activate.json";
/// `api.x.com/graphql/` answers the same; this is where the web client, yt-dlp and gallery-dl ask.
const GRAPHQL: &str = "https://x.com/i/api/graphql/";
const SYNDICATION: &str = "https://cdn.syndication.twimg.com/tweet-result";

/// What the query demands to be told about the web client, on and off.
const FEATURES_ON: &[&str] = &[
    "creator_subscriptions_tweet_preview_api_enabled",
    "freedom_of_speech_not_reach_fetch_enabled",
    "graphql_is_translatable_rweb_tweet_is_translatable_enabled",
    "longform_notetweets_consumption_enabled",
    "longform_notetweets_inline_media_enabled",
    "longform_notetweets_rich_text_read_enabled",
    "responsive_web_edit_tweet_api_enabled",
    "responsive_web_graphql_exclude_directive_enabled",
    "responsive_web_graphql_timeline_navigation_enabled",
    "standardized_nudges_misinfo",
    "tweet_with_visibility_results_prefer_gql_limited_actions_policy_enabled",
    "tweetypie_unmention_optimization_enabled",
    "view_counts_everywhere_api_enabled",
];
const FEATURES_OFF: &[&str] = &[
    "responsive_web_enhance_cards_enabled",
    "responsive_web_graphql_skip_user_profile_image_extensions_enabled",
    "responsive_web_media_download_video_enabled",
    "responsive_web_twitter_article_tweet_consumption_enabled",
    "tweet_awards_web_tipping_enabled",
    "verified_phone_label_enabled",
];

/// Asks X about posts. Keeps the guest token between questions.
#[derive(Default)]
pub struct Api {
    /// Held while a token is asked for, so that many links at once ask for one token.
    guest_token: Mutex<Option<String>>,
}

impl Api {
    /// What a post holds: by the web client's API, and if that refuses us, by syndication.
    ///
    /// # Errors
    /// The verdict about the post, or why the web client's API did not answer: that is the more telling of the two.
    pub async fn post(&self, resource: &Resource, cx: &ExtractContext<'_>) -> Result<MediaMetadata> {
        let first = match self.graphql(&resource.id, Empty::Refused, cx).await {
            Ok(found) => return Ok(parse::finish(resource, found)),
            Err(Trouble::Verdict(error)) => return Err(error),
            Err(Trouble::Odd(error)) => error,
        };
        tracing::debug!(reason = first.operator_text(), "asking X's syndication instead");
        match syndication(resource, cx).await {
            Ok(found) => Ok(parse::finish(resource, found)),
            Err(second) => {
                tracing::debug!(reason = second.operator_text(), "X's syndication does not help either");
                Err(first)
            }
        }
    }

    /// What a post and those of the same author that it continues hold, oldest first. A guest is shown no answers, so
    /// what comes after the post stays unknown.
    ///
    /// # Errors
    /// The verdict about the post itself; an earlier post that cannot be had only shortens the thread.
    pub async fn thread(&self, resource: &Resource, cx: &ExtractContext<'_>) -> Result<MediaMetadata> {
        let asked = self.graphql(&resource.id, Empty::Allowed, cx).await.map_err(Trouble::into_error)?;
        let mut thread = vec![(resource.id.clone(), asked)];
        while thread.len() < MAX_THREAD {
            let Some(before) = thread.last().and_then(|(_, found)| found.before()).map(str::to_owned) else { break };
            if thread.iter().any(|(id, _)| *id == before) {
                break;
            }
            match self.graphql(&before, Empty::Allowed, cx).await {
                Ok(found) => thread.push((before, found)),
                Err(trouble) => {
                    let error = trouble.into_error();
                    tracing::debug!(reason = error.operator_text(), "the thread's earlier posts cannot be had");
                    break;
                }
            }
        }
        thread.reverse();
        parse::finish_thread(resource, thread)
    }

    /// The web client's API, with a fresh guest token if the kept one is spent.
    async fn graphql(&self, tweet: &str, empty: Empty, cx: &ExtractContext<'_>) -> Result<Found, Trouble> {
        let (token, fresh) = self.token(cx).await.map_err(Trouble::Odd)?;
        match graphql_once(tweet, empty, cx, &token).await {
            Err(Refused::Spent(error)) => {
                self.drop_token(&token).await;
                if fresh {
                    return Err(Trouble::Odd(error));
                }
            }
            Err(Refused::Other(trouble)) => return Err(trouble),
            Ok(found) => return Ok(found),
        }
        let (token, _) = self.token(cx).await.map_err(Trouble::Odd)?;
        match graphql_once(tweet, empty, cx, &token).await {
            Err(Refused::Spent(error)) => {
                self.drop_token(&token).await;
                Err(Trouble::Odd(error))
            }
            Err(Refused::Other(trouble)) => Err(trouble),
            Ok(found) => Ok(found),
        }
    }

    /// The guest token, and whether it was asked for just now.
    async fn token(&self, cx: &ExtractContext<'_>) -> Result<(String, bool)> {
        let mut kept = self.guest_token.lock().await;
        if let Some(token) = &*kept {
            return Ok((token.clone(), false));
        }
        let url = link(GUEST_TOKEN)?;
        let request = cx.client.request(reqwest::Method::POST, &url)?;
        let request =
            request.bearer_auth(cx.param("bearer").unwrap_or_default()).header(reqwest::header::CONTENT_LENGTH, 0);
        let answer = http::ask(cx.client, request).await?;
        if let Some(refusal) = answer.refusal {
            // Nothing about a post can be gone here.
            return Err(if refusal.kind().is_fatal() {
                Error::platform_changed(refusal.operator_text())
            } else {
                refusal
            });
        }
        let body = answer.json()?;
        let token = json::text(&body, "/guest_token").ok_or_else(|| Error::platform_changed("no guest token"))?;
        *kept = Some(token.to_owned());
        Ok((token.to_owned(), true))
    }

    /// Forgets a spent token, unless another question has already replaced it.
    async fn drop_token(&self, token: &str) {
        let mut kept = self.guest_token.lock().await;
        if kept.as_deref() == Some(token) {
            *kept = None;
        }
    }
}

/// Why the web client's API did not answer.
enum Refused {
    /// The guest token may be at fault.
    Spent(Error),
    /// A new token would not help.
    Other(Trouble),
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Refused::Other(Trouble::Odd(error))
    }
}

async fn graphql_once(tweet: &str, empty: Empty, cx: &ExtractContext<'_>, token: &str) -> Result<Found, Refused> {
    let url = graphql_url(cx.param("query_id").unwrap_or_default(), tweet)?;
    let request = cx
        .client
        .get(&url)?
        .bearer_auth(cx.param("bearer").unwrap_or_default())
        .header("x-guest-token", token)
        .header("x-twitter-client-language", "en")
        .header("x-twitter-active-user", "yes");
    let answer = http::ask(cx.client, request).await?;
    if let Some(refusal) = answer.refusal {
        return Err(match answer.status.as_u16() {
            401 | 403 | 429 => Refused::Spent(refusal),
            // The query itself is unknown, not the post: what is wrong with a post is told with status 200.
            400 | 404 | 410 => Error::platform_changed(format!(
                "the query TweetResultByRestId was refused ({}): its id or features may have changed",
                answer.status
            ))
            .into(),
            _ => refusal.into(),
        });
    }
    let body = answer.json()?;
    match parse::graphql(&body, empty) {
        Err(trouble) if is_token_error(&body) => Err(Refused::Spent(trouble.into_error())),
        Err(trouble) => Err(Refused::Other(trouble)),
        Ok(found) => Ok(found),
    }
}

/// Whether an answer with status 200 complains about the token (codes 32, 239 and 88 of X's list).
fn is_token_error(body: &Value) -> bool {
    json::list(body, "/errors").iter().any(|error| matches!(json::int(error, "/code"), Some(32 | 88 | 239)))
}

async fn syndication(resource: &Resource, cx: &ExtractContext<'_>) -> Result<Found> {
    let mut url = link(SYNDICATION)?;
    let id: u64 = resource.id.parse().map_err(|_| Error::internal("a post's id is no number"))?;
    url.query_pairs_mut().append_pair("id", &resource.id).append_pair("token", &syndication_token(id));
    let answer = http::ask(cx.client, cx.client.get(&url)?).await?;
    match answer.refusal {
        Some(refusal) => Err(refusal),
        None => parse::syndication(&answer.json()?),
    }
}

fn graphql_url(query_id: &str, tweet: &str) -> Result<Url> {
    let mut url = link(GRAPHQL)?
        .join(&format!("{query_id}/TweetResultByRestId"))
        .map_err(|_| Error::internal("the setting query_id of X is not usable"))?;
    let variables =
        json!({"tweetId": tweet, "withCommunity": false, "includePromotedContent": false, "withVoice": false});
    let features: serde_json::Map<String, Value> = FEATURES_ON
        .iter()
        .map(|name| ((*name).to_owned(), true.into()))
        .chain(FEATURES_OFF.iter().map(|name| ((*name).to_owned(), false.into())))
        .collect();
    url.query_pairs_mut()
        .append_pair("variables", &variables.to_string())
        .append_pair("features", &Value::Object(features).to_string())
        .append_pair("fieldToggles", &json!({"withArticleRichContentState": false}).to_string());
    Ok(url)
}

fn link(text: &str) -> Result<Url> {
    Url::parse(text).map_err(|_| Error::internal("a constant link is misspelt"))
}

/// The token that the site's script computes from a post's id: `(id / 1e15 · π)` in base 36, without zeros and the
/// point, as JavaScript prints it.
fn syndication_token(id: u64) -> String {
    let text = to_base_36(id as f64 / 1e15 * std::f64::consts::PI);
    text.chars().filter(|c| !matches!(c, '0' | '.')).collect()
}

/// A positive number in base 36 with as many digits as tell it from its neighbours, which is what JavaScript prints.
fn to_base_36(value: f64) -> String {
    const DIGITS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";
    let digit = |d: u64| char::from(DIGITS[(d % 36) as usize]);

    let mut whole = value.trunc() as u64;
    let mut fraction = value.fract();
    // Half the distance to the next double: what is smaller than that carries no information.
    let mut delta = ((value.next_up() - value) / 2.0).max(f64::MIN_POSITIVE);
    let mut after: Vec<u64> = Vec::new();
    while fraction >= delta {
        fraction *= 36.0;
        delta *= 36.0;
        let next = fraction.trunc();
        after.push(next as u64);
        fraction -= next;
        let round_up = fraction > 0.5 || (fraction == 0.5 && next as u64 % 2 == 1);
        if round_up && fraction + delta > 1.0 {
            // Carry to the left; digits that overflow vanish, at last into the whole part.
            loop {
                match after.pop() {
                    None => {
                        whole += 1;
                        break;
                    }
                    Some(last) if last + 1 < 36 => {
                        after.push(last + 1);
                        break;
                    }
                    Some(_) => {}
                }
            }
            break;
        }
    }

    let mut before = Vec::new();
    loop {
        before.push(digit(whole));
        whole /= 36;
        if whole == 0 {
            break;
        }
    }
    let mut text: String = before.into_iter().rev().collect();
    if !after.is_empty() {
        text.push('.');
        text.extend(after.into_iter().map(digit));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn syndication_tokens_are_those_that_javascript_computes() {
        // Printed by `((Number(id) / 1e15) * Math.PI).toString(36).replace(/(0+|\.)/g, '')`.
        for (id, token) in [
            (20, "6dq1a2xwd93"),
            (2345, "ks71o32wo59"),
            (1_050_118_621_198_921_728, "2jn1m8zmk1"),
            (1_460_323_737_035_677_698, "3jfqq1vhqna"),
            (1_790_000_000_000_000_001, "4c7g8auqyik"),
        ] {
            assert_eq!(syndication_token(id), token, "{id}");
        }
    }

    #[test]
    fn the_query_is_spelled_as_the_web_client_spells_it() {
        let url = graphql_url("abc-_1", "20").unwrap();
        assert_eq!(url.host_str(), Some("x.com"));
        assert_eq!(url.path(), "/i/api/graphql/abc-_1/TweetResultByRestId");
        let pairs: std::collections::BTreeMap<_, _> = url.query_pairs().into_owned().collect();
        let variables: Value = serde_json::from_str(&pairs["variables"]).unwrap();
        assert_eq!(variables["tweetId"], "20");
        let features: Value = serde_json::from_str(&pairs["features"]).unwrap();
        assert_eq!(features["view_counts_everywhere_api_enabled"], true);
        assert_eq!(features["responsive_web_enhance_cards_enabled"], false);
        assert!(pairs.contains_key("fieldToggles"));
    }
}
