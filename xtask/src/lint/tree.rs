//! The files the rules look at: what git tracks, and what it would track, as text where it is text.

use crate::paths::Paths;
use crate::process;
use anyhow::{Context, Result};
use std::fs;

/// One file; `path` is relative to the root and has `/` between its parts.
pub struct File {
    pub path: String,
    pub bytes: u64,
    /// `None` for a binary file.
    pub text: Option<String>,
}

/// All of them, ordered by path.
pub struct Tree {
    pub files: Vec<File>,
}

impl Tree {
    /// Asks git for tracked and for new, not ignored files, so that a file is checked before it is added.
    pub fn read(paths: &Paths) -> Result<Self> {
        let mut git = process::command(paths, "git");
        let words = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
        let listed = process::capture(git.args(words)).context("lint needs git and a checkout")?;
        let mut names: Vec<&str> = std::str::from_utf8(&listed)
            .context("git listed a file name that is not UTF-8")?
            .split('\0')
            .filter(|name| !name.is_empty())
            .collect();
        names.sort_unstable();
        names.dedup();
        let mut files = Vec::with_capacity(names.len());
        for name in names {
            let path = paths.root.join(name);
            // Deleted but still in the index, or a link: nothing to read.
            if path.is_file() && !path.is_symlink() {
                let content = fs::read(&path).with_context(|| format!("cannot read {name}"))?;
                files.push(File::new(name, content));
            }
        }
        Ok(Self { files })
    }

    /// The Rust sources with their text.
    pub fn rust(&self) -> impl Iterator<Item = (&str, &str)> {
        self.texts().filter(|(path, _)| path.ends_with(".rs"))
    }

    /// Every text file.
    pub fn texts(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files
            .iter()
            .filter_map(|file| Some((file.path.as_str(), file.text.as_deref()?)))
    }

    /// The text of one file.
    pub fn text(&self, path: &str) -> Option<&str> {
        self.texts()
            .find(|(found, _)| *found == path)
            .map(|(_, text)| text)
    }

    #[cfg(test)]
    pub fn of(files: &[(&str, &str)]) -> Self {
        let files = files
            .iter()
            .map(|(path, text)| File::new(path, text.as_bytes().to_vec()))
            .collect();
        Self { files }
    }
}

impl File {
    pub fn new(path: &str, content: Vec<u8>) -> Self {
        let bytes = content.len() as u64;
        let text = String::from_utf8(content)
            .ok()
            .filter(|text| !text.contains('\0'));
        Self {
            path: path.to_owned(),
            bytes,
            text,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn binary_content_should_have_no_text() {
        assert!(File::new("a.png", vec![0x89, b'P', 0xff]).text.is_none());
        assert!(File::new("a.bin", b"with\0zero".to_vec()).text.is_none());
        assert_eq!(
            File::new("a.rs", b"//! a".to_vec()).text.as_deref(),
            Some("//! a")
        );
    }

    #[test]
    fn this_checkout_should_contain_this_file() {
        let paths = Paths::find().expect("a checkout");
        let tree = Tree::read(&paths).expect("git");
        assert!(
            tree.text("xtask/src/lint/tree.rs")
                .is_some_and(|text| text.starts_with("//!"))
        );
        assert!(!tree.files.iter().any(|file| file.path.starts_with("target/")));
    }
}
