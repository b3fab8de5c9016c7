//! Where marks lie, and which operators release a log that is behind its mark.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use vaultstream_event_schemas::note::keys::{Algorithm, Keys, VerifierKey};

/// The most operators.
const MAX_OPERATORS: usize = 32;

/// Marks.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Marks {
    /// Their folder in the embedded assembly; absent for one beside the data directory.
    pub dir: Option<PathBuf>,
}

/// Who releases a log that is behind its mark.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Operators {
    /// How many of them have to sign; 0 while there are none.
    pub threshold: usize,
    /// Their public keys, as `vaultstream operator keygen` prints them.
    pub keys: Vec<String>,
}

impl Operators {
    /// The public keys.
    pub fn public_keys(&self) -> Result<Keys> {
        let mut keys: Vec<VerifierKey> = Vec::with_capacity(self.keys.len());
        for text in &self.keys {
            let key: VerifierKey = text.parse().with_context(|| format!("operators.keys: {text}"))?;
            ensure!(
                key.algorithm() == Algorithm::Ed25519,
                "operators.keys: {} is no Ed25519 key; make one with `vaultstream operator keygen`",
                key.name()
            );
            keys.push(key);
        }
        Ok(Keys::new(keys))
    }

    fn check(&self) -> Result<()> {
        let keys = self.public_keys()?;
        let keys = keys.all();
        ensure!(
            keys.len() <= MAX_OPERATORS,
            "operators.keys names more than {MAX_OPERATORS} operators"
        );
        let names: BTreeSet<&str> = keys.iter().map(VerifierKey::name).collect();
        ensure!(
            names.len() == keys.len(),
            "operators.keys names an operator twice; each has one key"
        );
        // A key under two names would be one person who counts as two.
        let bytes: BTreeSet<&[u8]> = keys.iter().map(VerifierKey::public_bytes).collect();
        ensure!(
            bytes.len() == keys.len(),
            "operators.keys has one key under two names; each operator has a key of their own"
        );
        let most = keys.len();
        ensure!(
            (most == 0 && self.threshold == 0) || (1..=most).contains(&self.threshold),
            "operators.threshold is {}: choose how many of the {most} operators have to sign",
            self.threshold
        );
        Ok(())
    }
}

impl super::Config {
    /// The folder of the marks: as configured, or beside the data directory and named after it.
    pub fn marks_dir(&self) -> PathBuf {
        if let Some(dir) = &self.marks.dir {
            return dir.clone();
        }
        let Some(name) = self.data_dir.file_name() else {
            return self.data_dir.join("marks");
        };
        let mut beside = OsString::from(name);
        beside.push("-marks");
        self.data_dir.with_file_name(beside)
    }

    /// Whether a log that has binds and no mark may begin its marks unasked: only where no money is real and nobody was
    /// named who could release it.
    pub fn may_begin_marks(&self) -> bool {
        self.operators.keys.is_empty() && self.chains.iter().all(|chain| chain.sandbox)
    }

    pub(super) fn check_marks(&self) -> Result<()> {
        self.operators.check()?;
        let Some(dir) = &self.marks.dir else { return Ok(()) };
        let absolute = |path: &Path| std::path::absolute(path).context("marks.dir");
        let dir = absolute(dir)?;
        for (place, name) in [
            (self.data_dir.clone(), "the data directory"),
            (self.checkpoints_dir(), "the folder of checkpoints"),
        ] {
            ensure!(
                !dir.starts_with(absolute(&place)?),
                "marks.dir lies in {name} and would be put back with it; choose a folder that no backup holds"
            );
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use vaultstream_event_schemas::note::signer::SignerKey;

    use crate::config::{Config, Overrides};

    fn with(extra: &str) -> anyhow::Result<Config> {
        let file = tempfile::NamedTempFile::new()?;
        std::fs::write(file.path(), extra)?;
        Config::load(Some(file.path()), &Overrides::default())
    }

    fn key(name: &str, seed: u8) -> String {
        let key = SignerKey::from_seed(name, &[seed; 32]).expect("a name");
        key.public().to_string()
    }

    fn operators(threshold: usize, keys: &[String]) -> String {
        format!("[operators]\nthreshold = {threshold}\nkeys = {keys:?}\n")
    }

    #[test]
    fn marks_should_lie_beside_the_data_and_in_nothing_that_is_put_back() {
        let config = with("data_dir = \"/var/lib/vaultstream\"\n").expect("loads");
        assert_eq!(
            config.marks_dir(),
            std::path::Path::new("/var/lib/vaultstream-marks")
        );
        for inside in ["d/marks", "d-checkpoints/marks"] {
            let error = with(&format!("data_dir = \"d\"\n[marks]\ndir = \"{inside}\"\n")).expect_err(inside);
            assert!(error.to_string().contains("marks.dir"), "{error}");
        }
    }

    #[test]
    fn operators_should_be_people_of_their_own() {
        let (a, b) = (key("alice", 1), key("bob", 2));
        let config = with(&operators(2, &[a.clone(), b.clone()])).expect("two of two");
        assert_eq!(config.operators.public_keys().expect("keys").all().len(), 2);
        assert!(!config.may_begin_marks(), "there is somebody to ask");
        assert!(with("").expect("loads").may_begin_marks());
        for (extra, word) in [
            (operators(0, std::slice::from_ref(&a)), "operators.threshold is 0"),
            (operators(3, &[a.clone(), b]), "operators.threshold is 3"),
            (operators(1, &[]), "operators.threshold is 1"),
            (
                operators(1, &[a.clone(), key("alice", 3)]),
                "names an operator twice",
            ),
            (
                operators(2, &[a.clone(), key("eve", 1)]),
                "one key under two names",
            ),
            (operators(1, &[a.replace("alice", "alicf")]), "operators.keys"),
        ] {
            let error = format!("{:#}", with(&extra).expect_err(word));
            assert!(error.contains(word), "{error}");
        }
    }
}
