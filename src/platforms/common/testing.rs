//! Help for the tests of platform files.

use serde_json::{Value, json};

/// The document with each of its values in turn replaced by null, by text and by a list.
pub fn mutations(document: &Value) -> Vec<Value> {
    fn pointers(value: &Value, at: &str, all: &mut Vec<String>) {
        all.push(at.to_owned());
        match value {
            Value::Object(map) => map.iter().for_each(|(key, inner)| pointers(inner, &format!("{at}/{key}"), all)),
            Value::Array(list) => {
                list.iter().enumerate().for_each(|(i, inner)| pointers(inner, &format!("{at}/{i}"), all));
            }
            _ => {}
        }
    }
    let mut all = Vec::new();
    pointers(document, "", &mut all);
    let replaced = |pointer: &String| {
        [Value::Null, json!("x"), json!([])].map(|value| {
            let mut changed = document.clone();
            *changed.pointer_mut(pointer).unwrap() = value;
            changed
        })
    };
    all.iter().flat_map(replaced).collect()
}
