//! The committed SDL is the schema's own export: clients generate their documents from the file.

use std::path::Path;

#[test]
fn sdl_file_should_equal_the_export() -> Result<(), std::io::Error> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("schema.graphql");
    let export = vaultstream_query_api::sdl();
    if std::env::var_os("VAULTSTREAM_WRITE_SDL").is_some() {
        std::fs::write(&file, &export)?;
    }
    assert!(
        std::fs::read_to_string(&file)? == export,
        "query-api/schema.graphql differs from the schema; `cargo xtask generate` writes it"
    );
    Ok(())
}
