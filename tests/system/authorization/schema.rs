//! The published schema, as far as the table needs it: which type has which field, and where that leads.

use std::collections::BTreeMap;

/// A field: its name and the type it leads to.
pub type Field = (String, String);

/// The fields of every object type, by type, and the types that implement `Node`.
pub struct Schema {
    /// Fields by type.
    pub objects: BTreeMap<String, Vec<Field>>,
    /// What `node` may turn out to be.
    pub nodes: Vec<String>,
}

/// Reads the schema's own export, one field a line, words in quotes between.
pub fn read(sdl: &str) -> Schema {
    let (mut objects, mut nodes) = (BTreeMap::<_, Vec<Field>>::new(), Vec::new());
    let (mut current, mut in_words) = (None, false);
    for line in sdl.lines() {
        if line.trim() == "\"\"\"" {
            in_words = !in_words;
        } else if in_words {
        } else if let Some(head) = line.strip_prefix("type ") {
            let name = head.split_whitespace().next().unwrap_or_default().to_owned();
            if head.contains(" implements Node") {
                nodes.push(name.clone());
            }
            objects.entry(name.clone()).or_default();
            current = Some(name);
        } else if line.starts_with('}') {
            current = None;
        } else if let Some(name) = &current
            && let Some(field) = line.strip_prefix('\t')
        {
            let end = field.find(['(', ':']).unwrap_or(field.len());
            let leads_to = field.rsplit(": ").next().unwrap_or_default();
            let leads_to = leads_to.trim_matches(['[', ']', '!']).to_owned();
            let fields = objects.entry(name.clone()).or_default();
            fields.push((field[..end].to_owned(), leads_to));
        }
    }
    Schema { objects, nodes }
}
