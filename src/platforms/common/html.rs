//! Reading web pages: the data that scripts and meta elements carry.

use scraper::{Html, Selector};
use serde_json::Value;

/// A page, parsed once.
pub struct Page(Html);

impl Page {
    /// Parses whatever is there; pages are never refused.
    pub fn of(html: &str) -> Self {
        Self(Html::parse_document(html))
    }

    /// The text of the first element that a CSS selector finds.
    pub fn text(&self, selector: &str) -> Option<String> {
        self.texts(selector).into_iter().next()
    }

    /// The texts of all elements that a CSS selector finds, in order. None for a selector that is misspelt.
    pub fn texts(&self, selector: &str) -> Vec<String> {
        let Ok(selector) = Selector::parse(selector) else { return Vec::new() };
        self.0.select(&selector).map(|element| element.text().collect::<String>()).collect()
    }

    /// The JSON in the first element that a CSS selector finds: `script#__DATA__`.
    pub fn json(&self, selector: &str) -> Option<Value> {
        serde_json::from_str(self.text(selector)?.trim()).ok()
    }

    /// An attribute of the first element that a CSS selector finds.
    pub fn attribute(&self, selector: &str, name: &str) -> Option<String> {
        self.attributes(selector, name).into_iter().next()
    }

    /// An attribute of all elements that a CSS selector finds, in order. None for a selector that is misspelt.
    pub fn attributes(&self, selector: &str, name: &str) -> Vec<String> {
        let Ok(selector) = Selector::parse(selector) else { return Vec::new() };
        self.0.select(&selector).filter_map(|element| element.attr(name)).map(str::to_owned).collect()
    }

    /// The content of `<meta property="…">` or `<meta name="…">`.
    pub fn meta(&self, name: &str) -> Option<String> {
        let selector = format!("meta[property=\"{name}\"], meta[name=\"{name}\"]");
        self.attribute(&selector, "content").filter(|content| !content.is_empty())
    }
}

/// The JSON value that starts right behind `marker` in a script: `window.DATA = {…};` for the marker `window.DATA =`.
pub fn json_after(text: &str, marker: &str) -> Option<Value> {
    let rest = text.split_once(marker)?.1;
    serde_json::Deserializer::from_str(rest).into_iter::<Value>().next()?.ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_is_found_in_scripts_and_meta_elements() {
        let page = Page::of(
            r#"<!DOCTYPE html><meta property="og:title" content="A &amp; B"><script id="data" type="application/json"> {"a":"</b>"} </script>
               <script>window.DATA = {"n": 7}; more()</script>"#,
        );
        assert_eq!(page.meta("og:title").as_deref(), Some("A & B"));
        assert_eq!(page.json("script#data").unwrap()["a"], "</b>");
        assert_eq!(json_after(&page.texts("script")[1], "window.DATA =").unwrap()["n"], 7);
        assert_eq!(page.json("script#none"), None);
        assert_eq!(page.meta("og:video"), None);
        assert!(page.texts("]]misspelt").is_empty());
    }
}
