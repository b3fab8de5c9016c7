//! JSON Schemas of every released payload, as committed in `event-schemas/schemas/`.

/// File name and pretty-printed schema of every released payload, sorted by name.
pub fn all() -> Vec<(String, String)> {
    let mut files: Vec<_> = [
        crate::organization::v1::schemas(),
        crate::vault::v1::schemas(),
        crate::transfer::v1::schemas(),
        crate::execution::v1::schemas(),
        crate::platform::v1::schemas(),
        crate::audit::v1::schemas(),
    ]
    .into_iter()
    .flatten()
    .map(|(name, version, schema)| {
        let text = serde_json::to_string_pretty(&schema).expect("a schema is JSON");
        (format!("{name}.v{version}.json"), format!("{text}\n"))
    })
    .collect();
    files.sort();
    files
}
