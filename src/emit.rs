//! Prints what is generated from the code, for `cargo xtask generate` and its check.

use std::path::Path;

use anyhow::{Context, Result};

/// What can be printed.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub enum What {
    /// The GraphQL schema.
    Sdl,
    /// The OpenAPI document.
    Openapi,
    /// The JSON Schemas of all event payloads, into a folder.
    Schemas,
    /// The index of error codes.
    Errors,
}

/// Prints it, or fills `out`.
pub fn run(what: What, out: Option<&Path>) -> Result<()> {
    match what {
        What::Sdl => print!("{}", vaultstream_query_api::sdl()),
        What::Openapi => print!("{}", vaultstream_command_api::openapi()),
        What::Errors => print!("{}", vaultstream_gateway::error_pages::index()),
        What::Schemas => {
            let folder = out.context("schemas are many files; give --out DIR")?;
            std::fs::create_dir_all(folder)?;
            for (name, text) in vaultstream_event_schemas::schema::all() {
                std::fs::write(folder.join(name), text)?;
            }
        }
    }
    Ok(())
}
