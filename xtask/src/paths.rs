//! Where things are: the checkout, cargo's target directory, the cache of engines and tools.
//!
//! Nothing here is inside the repository except its root, so a clean clone stays clean.

use anyhow::{Context, Result};
use std::env;
use std::path::{Path, PathBuf};

/// The directories every verb works with.
#[derive(Clone, Debug)]
pub struct Paths {
    pub root: PathBuf,
    pub target: PathBuf,
    cache: PathBuf,
    engines: PathBuf,
}

impl Paths {
    /// Reads `CARGO_MANIFEST_DIR`, `CARGO_TARGET_DIR`, `VAULTSTREAM_ENGINES` and `HOME`.
    pub fn find() -> Result<Self> {
        let manifest =
            env::var("CARGO_MANIFEST_DIR").unwrap_or_else(|_| env!("CARGO_MANIFEST_DIR").to_owned());
        let root = Path::new(&manifest)
            .parent()
            .context("xtask has no parent directory")?
            .to_path_buf();
        let home = env::var_os("HOME").context("HOME is not set, so there is no place for the cache")?;
        let given = env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
        let engines = vaultstream_engines::home()?;
        Ok(Self::new(root, Path::new(&home), given, engines))
    }

    fn new(root: PathBuf, home: &Path, target: Option<PathBuf>, engines: PathBuf) -> Self {
        let cache = home.join(".cache/vaultstream");
        let target = match target {
            Some(dir) if dir.is_absolute() => dir,
            Some(dir) => root.join(dir),
            None => cache.join("target"),
        };
        Self {
            root,
            target,
            cache,
            engines,
        }
    }

    /// The same checkout and cache, built elsewhere.
    pub fn with_target(&self, target: PathBuf) -> Self {
        Self {
            target,
            ..self.clone()
        }
    }

    /// Downloaded engines and npm packages, one folder a version set; where the tests look for them, too.
    pub fn engines(&self) -> PathBuf {
        self.engines.clone()
    }

    /// Installed cargo tools (`bin/` inside).
    pub fn tools(&self) -> PathBuf {
        self.cache.join("tools")
    }

    /// A scratch target directory that nothing else builds in.
    pub fn scratch_target(&self, name: &str) -> PathBuf {
        self.cache.join(name)
    }

    /// The built dashboard, as the binary serves it. Not `web`: cargo keeps the profile of that name there.
    pub fn web(&self) -> PathBuf {
        self.target.join("dashboard")
    }

    pub fn debug_binary(&self, name: &str) -> PathBuf {
        self.target.join("debug").join(name)
    }

    pub fn release_binary(&self, name: &str) -> PathBuf {
        self.target.join("release").join(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn target_should_default_to_the_cache() {
        let paths = Paths::new("/repo".into(), Path::new("/h"), None, "/e".into());
        assert_eq!(paths.target, Path::new("/h/.cache/vaultstream/target"));
        assert_eq!(paths.web(), Path::new("/h/.cache/vaultstream/target/dashboard"));
    }

    #[test]
    fn target_should_respect_what_was_given() {
        let absolute = Paths::new("/repo".into(), Path::new("/h"), Some("/t".into()), "/e".into());
        assert_eq!(
            absolute.debug_binary("vaultstream"),
            Path::new("/t/debug/vaultstream")
        );
        let relative = Paths::new("/repo".into(), Path::new("/h"), Some("out".into()), "/e".into());
        assert_eq!(
            relative.release_binary("vaultstream"),
            Path::new("/repo/out/release/vaultstream")
        );
        assert_eq!(relative.engines(), Path::new("/e"));
    }
}
