//! Plain text out of what platforms serve as half HTML.

/// Undoes the few HTML entities that APIs put into plain text. `&amp;` comes last, so that nothing is undone twice.
pub fn unescape(text: &str) -> String {
    if !text.contains('&') {
        return text.to_owned();
    }
    text.replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&#39;", "'")
        .replace("&#x200B;", "")
        .replace("&nbsp;", " ")
        .replace("&amp;", "&")
}

/// The words of a piece of HTML: a line for each `<br>`, an empty line between paragraphs.
pub fn of_html(html: &str) -> String {
    let lines = html.replace("<br>", "\n").replace("<br/>", "\n").replace("<br />", "\n").replace("</p><p>", "\n\n");
    scraper::Html::parse_fragment(&lines).root_element().text().collect()
}

/// The text without spaces around it; nothing if nothing is left.
pub fn non_empty(text: impl AsRef<str>) -> Option<String> {
    let text = text.as_ref().trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// The extension of the last path part, in lower case, if it looks like one.
pub fn extension(url: &url::Url) -> Option<String> {
    let (stem, extension) = url.path_segments()?.next_back()?.rsplit_once('.')?;
    let plain = (1..=5).contains(&extension.len()) && extension.bytes().all(|b| b.is_ascii_alphanumeric());
    (plain && !stem.is_empty()).then(|| extension.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entities_are_undone_once() {
        assert_eq!(unescape("a &amp; b &lt;3 &quot;c&quot;"), "a & b <3 \"c\"");
        assert_eq!(unescape("&amp;lt;"), "&lt;");
        assert_eq!(unescape("plain"), "plain");
    }

    #[test]
    fn html_becomes_its_words() {
        let html = r#"<p>One &amp; <a href="https://a.example">two</a><br />three</p><p>four</p>"#;
        assert_eq!(of_html(html), "One & two\nthree\n\nfour");
        assert_eq!(of_html("plain"), "plain");
    }

    #[test]
    fn extensions_are_those_of_the_path() {
        for (link, expected) in [
            ("https://a.example/b.JPG?x=.png", Some("jpg")),
            ("https://a.example/b", None),
            ("https://a.example/.mp4", None),
            ("https://a.example/b.toolong", None),
            ("https://a.example/b.m p", None),
        ] {
            assert_eq!(extension(&url::Url::parse(link).unwrap()).as_deref(), expected, "{link}");
        }
    }
}
