//! What an answer is kept under.

use sha2::{Digest, Sha256};

use crate::model::{Options, Resource, ResourceKind, redact};

/// What was asked, with all that changes the answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    id: String,
    label: String,
    kind: ResourceKind,
}

impl Key {
    /// The key of a question. `session`: what tells the operator's session from being signed out and from other sessions,
    /// never a secret itself. None for what is not kept: a file behind a direct link may change at any time, and a short
    /// link is no answer.
    pub fn of(resource: &Resource, options: &Options, session: Option<&str>) -> Option<Self> {
        if matches!(resource.kind, ResourceKind::File | ResourceKind::ShortLink) {
            return None;
        }
        let own = resource.key();
        let whole = format!("{own}\n{}\n{}", options.thread, session.unwrap_or_default());
        // The id of an unknown page is its link, which may be signed.
        let label = match resource.kind {
            ResourceKind::Unknown => format!("{}:{}", resource.platform, redact::text(resource.canonical.as_str())),
            _ => own,
        };
        Some(Self { id: hex::encode(Sha256::digest(whole)), label, kind: resource.kind })
    }

    /// A name that is safe for files and tells nothing.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What people may read.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// What was asked for.
    pub(super) fn kind(&self) -> ResourceKind {
        self.kind
    }
}

#[cfg(test)]
mod tests {
    use url::Url;

    use super::*;
    use crate::model::PlatformId;

    fn resource(kind: ResourceKind) -> Resource {
        let link = Url::parse("https://a.example/p/1?sig=hunter2").unwrap();
        Resource::new(PlatformId("a"), kind, link.to_string(), link)
    }

    #[test]
    fn whatever_changes_the_answer_changes_the_key() {
        let post = resource(ResourceKind::Post);
        let plain = Key::of(&post, &Options::default(), None).unwrap();
        assert_eq!(Some(&plain), Key::of(&post, &Options { force: true, ..Options::default() }, None).as_ref());
        let thread = Key::of(&post, &Options { thread: true, ..Options::default() }, None).unwrap();
        let signed_in = Key::of(&post, &Options::default(), Some("7")).unwrap();
        let signed_in_anew = Key::of(&post, &Options::default(), Some("8")).unwrap();
        let second = Key::of(&Resource { item: Some(2), ..post }, &Options::default(), None).unwrap();
        let ids = [plain.id, thread.id, signed_in.id, signed_in_anew.id, second.id];
        for (index, id) in ids.iter().enumerate() {
            assert!(!ids[..index].contains(id), "{index}");
        }
    }

    #[test]
    fn files_and_short_links_are_not_kept_and_unknown_pages_keep_their_secrets() {
        assert_eq!(Key::of(&resource(ResourceKind::File), &Options::default(), None), None);
        assert_eq!(Key::of(&resource(ResourceKind::ShortLink), &Options::default(), None), None);
        let page = Key::of(&resource(ResourceKind::Unknown), &Options::default(), None).unwrap();
        assert_eq!(page.label(), "a:https://a.example/…");
    }
}
