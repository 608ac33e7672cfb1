//! A plan: the jobs that shall be done again as a file, in which people may change what is wanted of each.

use std::{
    io::{self, Read, Write},
    path::Path,
};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::job::Lost;
use crate::model::{Options, Quality};

/// What the file must say, so that another JSON file is not taken for one, nor a plan of a later kind for this one.
const VERSION: u32 = 1;

/// Bytes of a plan that are read.
const MOST_BYTES: u64 = 16 * 1024 * 1024;

/// The file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Plan {
    boss_bot_recovery: u32,
    /// For people.
    #[serde(default)]
    created_at: Value,
    /// The jobs.
    pub jobs: Vec<Change>,
}

/// A job of a plan.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Change {
    /// Which one.
    pub id: String,
    /// The best picture wanted. Left out: as it was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    quality: Option<Quality>,
    /// Only the sound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    audio_only: Option<bool>,
    /// Ask the platform anew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    force: Option<bool>,
    // What follows is for people.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    platform: Value,
    #[serde(default, skip_serializing_if = "Value::is_null")]
    link: Value,
    #[serde(default, skip_serializing_if = "Value::is_null")]
    failed_with: Value,
    #[serde(default, skip_serializing_if = "Value::is_null")]
    advice: Value,
}

impl Plan {
    /// A plan that does these again as they were asked. Platforms are asked anew: what is remembered of a link that failed
    /// may be its failure.
    pub(super) fn of(jobs: &[Lost]) -> Self {
        let change = |job: &Lost| Change {
            id: job.row.id.clone(),
            quality: Some(job.options.quality),
            audio_only: Some(job.options.audio_only),
            force: Some(true),
            platform: job.row.platform.as_str().into(),
            link: job.link.as_str().into(),
            failed_with: job.code().into(),
            advice: job.advice().1.into(),
        };
        Self {
            boss_bot_recovery: VERSION,
            created_at: chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Secs, true).into(),
            jobs: jobs.iter().map(change).collect(),
        }
    }

    /// Writes it, whole or not at all, readable by its owner only: it holds what people asked for.
    ///
    /// # Errors
    /// When that is not possible, or there is such a file.
    pub(super) fn write(&self, path: &Path) -> io::Result<()> {
        let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut file = tempfile::Builder::new().prefix(".boss-bot-").tempfile_in(dir)?;
        serde_json::to_writer_pretty(&mut file, self)?;
        file.write_all(b"\n")?;
        file.as_file().sync_all()?;
        file.persist_noclobber(path).map(drop).map_err(|error| match error.error.kind() {
            io::ErrorKind::AlreadyExists => io::Error::other("there is such a file: it is not replaced"),
            _ => error.error,
        })
    }

    /// Reads one and looks whether it can be one.
    ///
    /// # Errors
    /// What is wrong with it, and where.
    pub(super) fn read(path: &Path) -> Result<Self, String> {
        let name = path.display();
        let mut text = String::new();
        let file = std::fs::File::open(path).map_err(|error| format!("{name}: {error}"))?;
        file.take(MOST_BYTES).read_to_string(&mut text).map_err(|error| format!("{name}: {error}"))?;
        let plan: Self = serde_json::from_str(&text).map_err(|error| format!("{name}: {error}"))?;
        if plan.boss_bot_recovery != VERSION {
            return Err(format!("{name}: a plan of version {}; this program knows {VERSION}", plan.boss_bot_recovery));
        }
        let mut ids: Vec<&str> = plan.jobs.iter().map(|job| job.id.as_str()).collect();
        ids.sort_unstable();
        match ids.windows(2).find(|pair| matches!(pair, [one, other] if one == other)) {
            Some(twice) => Err(format!("{name}: job {} stands there twice", twice.first().unwrap_or(&""))),
            None => Ok(plan),
        }
    }
}

impl Change {
    /// The same for a job that no plan names.
    pub(super) fn anew(id: &str) -> Self {
        Self {
            id: id.to_owned(),
            quality: None,
            audio_only: None,
            force: Some(true),
            platform: Value::Null,
            link: Value::Null,
            failed_with: Value::Null,
            advice: Value::Null,
        }
    }

    /// The request with what was changed. `None`: nothing was.
    ///
    /// # Errors
    /// Why that cannot be wanted.
    pub(super) fn applied(&self, request: &Value) -> Result<Option<Value>, String> {
        let mut options: Options = match request.get("options") {
            Some(options) => serde_json::from_value(options.clone()).map_err(|error| error.to_string())?,
            None => Options::default(),
        };
        let before = options.clone();
        options.quality = self.quality.unwrap_or(options.quality);
        options.audio_only = self.audio_only.unwrap_or(options.audio_only);
        options.force = self.force.unwrap_or(options.force);
        if options == before {
            return Ok(None);
        }
        if let Some(contradiction) = options.fit.contradiction(options.audio_only) {
            return Err(contradiction.to_string());
        }
        let mut request = request.clone();
        let fields = request.as_object_mut().ok_or("its request cannot be read, so it cannot be changed")?;
        fields.insert("options".to_owned(), serde_json::to_value(options).map_err(|error| error.to_string())?);
        Ok(Some(request))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn change(text: &str) -> Change {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn only_what_was_changed_is_changed() {
        let request = json!({"url": "https://x.com/a/status/1", "options": {"quality": "720p", "thread": true}, "requester": {"user": 7}});
        assert_eq!(change(r#"{"id": "a"}"#).applied(&request), Ok(None));
        assert_eq!(change(r#"{"id": "a", "quality": "720p", "force": false}"#).applied(&request), Ok(None));
        let after = change(r#"{"id": "a", "audio_only": true, "force": true}"#).applied(&request).unwrap().unwrap();
        assert_eq!((&after["url"], &after["requester"]), (&request["url"], &request["requester"]));
        let options: Options = serde_json::from_value(after["options"].clone()).unwrap();
        assert!(options.audio_only && options.force && options.thread);
        assert_eq!(options.quality, Quality::Height(720));
    }

    #[test]
    fn what_cannot_be_wanted_is_refused() {
        let request = json!({"options": {"fit": {"mute": true}}});
        let told = change(r#"{"id": "a", "audio_only": true}"#).applied(&request).unwrap_err();
        assert!(told.contains("don't go together"), "{told}");
        assert!(change(r#"{"id": "a", "force": true}"#).applied(&json!("odd")).is_err());
    }

    #[test]
    fn a_plan_is_read_as_it_was_written_and_mistakes_are_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("plan.json");
        let plan = Plan { boss_bot_recovery: VERSION, created_at: Value::Null, jobs: vec![change(r#"{"id": "a"}"#)] };
        plan.write(&path).unwrap();
        assert_eq!(Plan::read(&path).unwrap().jobs[0].id, "a");
        assert!(plan.write(&path).unwrap_err().to_string().contains("not replaced"));
        for (text, part) in [
            (r#"{"boss_bot_recovery": 2, "jobs": []}"#, "version 2"),
            (r#"{"jobs": []}"#, "boss_bot_recovery"),
            ("{\"boss_bot_recovery\": 1, \"jobs\": [\n{\"id\": \"a\", \"quality\": \"8K\"}]}", "line 2"),
            (r#"{"boss_bot_recovery": 1, "jobs": [{"id": "a", "url": "https://x.com"}]}"#, "unknown field `url`"),
            (
                r#"{"boss_bot_recovery": 1, "jobs": [{"id": "a"}, {"id": "b"}, {"id": "a"}]}"#,
                "job a stands there twice",
            ),
        ] {
            std::fs::write(&path, text).unwrap();
            let told = Plan::read(&path).unwrap_err();
            assert!(told.contains(part), "{text}: {told}");
        }
    }
}
