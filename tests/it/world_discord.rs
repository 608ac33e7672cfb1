//! The stand-in Discord itself: what it brings deserialises, and it refuses what Discord refuses.

mod calls;
mod gateway;
mod rules;

use serde_json::Value;
use serenity::all::{Http, HttpBuilder};

use crate::world::{
    discord::{Channel, Discord, Guild, User},
    tls::Authority,
};

/// A stand-in with a guild, a channel and Ann, and clients that speak to it.
struct Place {
    discord: Discord,
    authority: Authority,
    guild: Guild,
    general: Channel,
    ann: User,
}

impl Place {
    async fn new() -> Self {
        let authority = Authority::new();
        let discord = Discord::start(&authority).await;
        let guild = discord.guild("No boost", 0);
        let general = guild.channel("general");
        let ann = discord.user("ann");
        Self { discord, authority, guild, general, ann }
    }

    fn web(&self) -> reqwest::Client {
        let root = reqwest::Certificate::from_pem(self.authority.pem().as_bytes()).unwrap();
        let builder = reqwest::Client::builder().add_root_certificate(root).no_proxy();
        builder.resolve("discord.com", self.discord.address()).build().unwrap()
    }

    fn http(&self) -> Http {
        let bot = self.discord.bot_id();
        HttpBuilder::new(self.discord.token()).client(self.web()).application_id(bot.into()).build()
    }

    /// A request as the bot: status and body.
    async fn ask(&self, method: &str, path: &str, body: Value) -> (u16, Value) {
        let request = self.request(method, path);
        let request = if body.is_null() { request } else { request.json(&body) };
        answer(request).await
    }

    fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        let method = method.parse().unwrap();
        let request = self.web().request(method, format!("https://discord.com/api/v10{path}"));
        request.header("authorization", format!("Bot {}", self.discord.token()))
    }

    /// A message with files in the channel: status and body.
    async fn upload(&self, path: &str, payload: Value, files: &[(&str, &str, usize)]) -> (u16, Value) {
        let mut form = reqwest::multipart::Form::new().text("payload_json", payload.to_string());
        for (field, name, size) in files {
            let part = reqwest::multipart::Part::bytes(vec![b'x'; *size]).file_name((*name).to_owned());
            form = form.part((*field).to_owned(), part);
        }
        answer(self.request("POST", path).multipart(form)).await
    }

    fn messages_path(&self) -> String {
        format!("/channels/{}/messages", self.general.id)
    }
}

async fn answer(request: reqwest::RequestBuilder) -> (u16, Value) {
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    let text = response.text().await.unwrap();
    (status, serde_json::from_str(&text).unwrap_or(Value::Null))
}
