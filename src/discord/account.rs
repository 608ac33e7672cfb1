//! Who the bot is at Discord: its token, checked, and how Discord is reached with it.

use std::{sync::Arc, time::Duration};

use poise::serenity_prelude as serenity;
use secrecy::ExposeSecret;

use super::connection::RunError;
use crate::{
    app::App,
    jobs::Seal,
    model::{self, redact},
};

/// Between two tries to reach Discord: doubles from the first to the last.
pub(super) const FIRST_PAUSE: Duration = Duration::from_millis(500);
pub(super) const LAST_PAUSE: Duration = Duration::from_secs(30);

/// How long asking for the gateway, or whose the token is, may take.
const ASK_DEADLINE: Duration = Duration::from_secs(10);

/// The bot's account.
pub(super) struct Account {
    /// Reaches Discord's API.
    pub(super) client: reqwest::Client,
    /// Keeps the tokens of interactions unreadable where they are written down.
    pub(super) seal: Arc<Seal>,
    token: String,
}

impl Account {
    /// The account of the settings. Asks nobody.
    pub(super) fn of(app: &App) -> Result<Self, RunError> {
        let settings = &app.settings.discord;
        let token = settings.token.as_ref().ok_or(RunError::NoToken)?.expose_secret().trim().to_owned();
        if token.is_empty() {
            return Err(RunError::NoToken);
        }
        let seal = Seal::of(&token).ok_or_else(|| model::Error::internal("no key can be made of the token"))?;
        Ok(Self { client: app.egress.discord(settings.api_address)?, seal: Arc::new(seal), token })
    }

    /// The gateway's address, once Discord has answered and knows the token.
    pub(super) async fn gateway(&self) -> Result<String, RunError> {
        let url = until_it_answers(|| async {
            let (url, ()) = tokio::try_join!(gateway_url(&self.client), check_token(&self.client, &self.token))?;
            Ok(url)
        });
        acceptable(url.await?)
    }

    /// Comes back once Discord has answered and knows the token.
    pub(super) async fn is_known(&self) -> Result<(), RunError> {
        until_it_answers(|| check_token(&self.client, &self.token)).await
    }

    /// serenity's side of Discord's API: over our client, and pinging nobody.
    pub(super) fn http(&self) -> serenity::Http {
        serenity::HttpBuilder::new(&self.token).client(self.client.clone()).default_allowed_mentions(mentions()).build()
    }
}

/// Nobody is ever pinged.
pub(super) fn mentions() -> serenity::CreateAllowedMentions {
    serenity::CreateAllowedMentions::new().replied_user(false)
}

/// Asks again and again, until Discord answers.
async fn until_it_answers<T, F>(ask: impl Fn() -> F) -> Result<T, RunError>
where
    F: Future<Output = Result<T, Unreached>>,
{
    let mut pause = FIRST_PAUSE;
    loop {
        match ask().await {
            Ok(answer) => return Ok(answer),
            Err(Unreached::Final(error)) => return Err(error),
            Err(Unreached::Later(reason)) => {
                tracing::warn!(reason, retry_in = ?pause, "Discord cannot be reached");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(LAST_PAUSE);
            }
        }
    }
}

enum Unreached {
    Later(String),
    Final(RunError),
}

impl From<reqwest::Error> for Unreached {
    fn from(error: reqwest::Error) -> Self {
        let mut text = error.without_url().to_string();
        text.truncate(200);
        Self::Later(redact::text(&text))
    }
}

async fn gateway_url(client: &reqwest::Client) -> Result<String, Unreached> {
    #[derive(serde::Deserialize)]
    struct Gateway {
        url: String,
    }
    let request = client.get("https://discord.com/api/v10/gateway").timeout(ASK_DEADLINE);
    let request = request.header(reqwest::header::USER_AGENT, serenity::constants::USER_AGENT);
    Ok(request.send().await?.error_for_status()?.json::<Gateway>().await?.url)
}

/// Only a clear no counts: everything else shows soon enough elsewhere.
async fn check_token(client: &reqwest::Client, token: &str) -> Result<(), Unreached> {
    let mut value = reqwest::header::HeaderValue::from_str(&format!("Bot {token}"))
        .map_err(|_| Unreached::Final(RunError::BadToken))?;
    value.set_sensitive(true);
    let request = client.get("https://discord.com/api/v10/oauth2/applications/@me").timeout(ASK_DEADLINE);
    let request = request.header(reqwest::header::USER_AGENT, serenity::constants::USER_AGENT);
    let status = request.header(reqwest::header::AUTHORIZATION, value).send().await?.status();
    match status {
        reqwest::StatusCode::UNAUTHORIZED => Err(Unreached::Final(RunError::BadToken)),
        status if status.is_server_error() || status == reqwest::StatusCode::TOO_MANY_REQUESTS => {
            Err(Unreached::Later(format!("status {status}")))
        }
        _ => Ok(()),
    }
}

/// The gateway is handed the token: it must be encrypted, or on this machine.
fn acceptable(gateway: String) -> Result<String, RunError> {
    let Ok(url) = url::Url::parse(&gateway) else { return Err(RunError::BadGateway(gateway)) };
    let loopback = match url.host() {
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => false,
    };
    match url.scheme() {
        "wss" if url.has_host() => Ok(gateway),
        "ws" if loopback => Ok(gateway),
        _ => Err(RunError::BadGateway(gateway)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_goes_to_encrypted_gateways_or_to_this_machine() {
        for good in ["wss://gateway.discord.gg", "ws://127.0.0.1:4000/", "ws://[::1]:1", "ws://localhost:9"] {
            assert!(acceptable(good.into()).is_ok(), "{good}");
        }
        for bad in
            ["ws://gateway.discord.gg", "ws://10.0.0.1", "ws://127.0.0.1.evil.example", "http://127.0.0.1", "", "wss:"]
        {
            assert!(matches!(acceptable(bad.into()), Err(RunError::BadGateway(_))), "{bad}");
        }
    }
}
