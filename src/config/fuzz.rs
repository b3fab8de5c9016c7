//! Fuzzing of the configuration file: whatever a file holds, it is taken or refused with words.

#[path = "../../tests/fuzz/harness.rs"]
#[expect(dead_code, reason = "the fuzzing of the other parsers needs more of it")]
mod harness;

use std::path::Path;

use super::{Config, DEFAULTS, Overrides};
use harness::{Target, holds};

#[test]
fn configuration_should_be_taken_or_refused_with_words() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let deployed = std::fs::read(root.join("infra/deploy/config/cluster.toml")).expect("a committed file");
    let target = Target {
        name: "configuration",
        corpus: root.join("tests/fuzz/corpus"),
        more: vec![DEFAULTS.as_bytes().to_vec(), deployed],
        one_in: 4,
    };
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("vaultstream.toml");
    target.fuzz(|bytes| {
        std::fs::write(&file, bytes).map_err(|e| e.to_string())?;
        match Config::load(Some(&file), &Overrides::default()) {
            Ok(config) => {
                holds!(!config.families().is_empty(), "a log without families");
                // What was taken can be used: nothing in it panics later.
                for chain in &config.chains {
                    drop((chain.settings(), chain.node_options(String::new())));
                }
            }
            Err(error) => holds!(format!("{error:#}").len() > 10, "a refusal without words"),
        }
        Ok(())
    });
}
