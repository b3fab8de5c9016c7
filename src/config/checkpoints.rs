//! Where signed checkpoints lie, and whose they are.

use std::ffi::OsString;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use vaultstream_event_schemas::note::is_key_name;

/// Signed checkpoints.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Checkpoints {
    /// Their folder in the embedded assembly; absent for one beside the data directory.
    pub dir: Option<PathBuf>,
}

impl super::Config {
    /// The folder of the checkpoints: as configured, or beside the data directory and named after it.
    pub fn checkpoints_dir(&self) -> PathBuf {
        if let Some(dir) = &self.checkpoints.dir {
            return dir.clone();
        }
        let Some(name) = self.data_dir.file_name() else {
            return self.data_dir.join("checkpoints");
        };
        let mut beside = OsString::from(name);
        beside.push("-checkpoints");
        self.data_dir.with_file_name(beside)
    }

    /// The first line of every checkpoint, and the name of the keys that sign them.
    pub fn origin(&self) -> String {
        format!("vaultstream/{}/log", self.assembly.cluster)
    }

    pub(super) fn check_checkpoints(&self) -> Result<()> {
        ensure!(
            is_key_name(&self.origin()),
            "assembly.cluster names the keys of checkpoints; leave out spaces and plus signs"
        );
        if let Some(dir) = &self.checkpoints.dir {
            let inside = std::path::absolute(dir)
                .context("checkpoints.dir")?
                .starts_with(std::path::absolute(&self.data_dir).context("data_dir")?);
            ensure!(
                !inside,
                "checkpoints.dir lies in the data directory and would go where it goes; choose a folder outside"
            );
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::config::{Config, Overrides};

    fn at(data: &str) -> Config {
        let overrides = Overrides {
            data_dir: Some(data.into()),
            ..Overrides::default()
        };
        Config::load(None, &overrides).expect("loads")
    }

    #[test]
    fn checkpoints_should_lie_beside_the_data() {
        for (data, expected) in [
            ("data", "data-checkpoints"),
            ("/var/lib/vaultstream", "/var/lib/vaultstream-checkpoints"),
            (".", "./checkpoints"),
        ] {
            assert_eq!(at(data).checkpoints_dir(), std::path::Path::new(expected));
        }
        assert_eq!(at("data").origin(), "vaultstream/vaultstream/log");
    }

    #[test]
    fn folder_inside_the_data_should_be_refused() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), "data_dir = \"d\"\n[checkpoints]\ndir = \"d/c\"\n").expect("written");
        let error = Config::load(Some(file.path()), &Overrides::default()).expect_err("refused");
        assert!(error.to_string().contains("checkpoints.dir"), "{error}");
    }
}
