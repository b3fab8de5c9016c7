//! `keystore.json`: how the master key is made, and a check that the right one was made.
//!
//! Argon2id with the second choice of RFC 9106 §4 (64 MiB, 3 passes) but one lane. The costs are kept with the salt so
//! that they can rise later, and are bounded when read, so that a changed file cannot exhaust the machine.

use argon2::{Algorithm, Argon2, Params, Version};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::MasterKeySource;
use crate::cipher::{MasterKey, random};
use crate::directory::Directory;
use crate::error::OpenError;
use crate::options::Secret;
use crate::record::{Kind, Record};

const HEADER: &str = "keystore.json";
const KEY_FILE: &str = "key";
const CHECK_ID: &str = "keystore";
const MEMORY_KIB: u32 = 64 * 1024;
const PASSES: u32 = 3;
const MEMORY_KIB_MAX: u32 = 1024 * 1024;
const PASSES_MAX: u32 = 16;

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Stretching {
    memory_kib: u32,
    passes: u32,
    salt: String,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Protection {
    KeyFile,
    Argon2id(Stretching),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    version: u32,
    protection: Protection,
    check: Record,
}

impl Stretching {
    fn stretch(&self, passphrase: &Secret) -> Result<MasterKey, OpenError> {
        if self.memory_kib > MEMORY_KIB_MAX || self.passes > PASSES_MAX {
            return Err(OpenError::Header("its Argon2 costs are out of bounds"));
        }
        let salt = hex::decode(&self.salt).map_err(|_| OpenError::Header("its salt is not hexadecimal"))?;
        let params = Params::new(self.memory_kib, self.passes, 1, Some(32))
            .map_err(|_| OpenError::Header("its Argon2 costs are out of bounds"))?;
        let mut key = Zeroizing::new([0; 32]);
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into(passphrase.bytes(), &salt, &mut key[..])
            .map_err(|_| OpenError::Header("its salt is too short"))?;
        Ok(MasterKey::new(key))
    }
}

/// The master key of the keystore in a directory; makes the keystore when there is none.
pub(crate) fn master_key(
    directory: &Directory,
    passphrase: Option<&Secret>,
) -> Result<(MasterKey, MasterKeySource), OpenError> {
    if passphrase.is_some_and(|p| p.bytes().is_empty()) {
        return Err(OpenError::PassphraseEmpty);
    }
    let mut created = false;
    let header = match directory.read(HEADER)? {
        Some(bytes) => read_header(&bytes)?,
        None => {
            refuse_headless(directory)?;
            created = passphrase.is_none() && make_key_file(directory)?;
            // Another process may have been first; then its header counts.
            make_header(directory, passphrase)?;
            let bytes = directory.read(HEADER)?;
            read_header(&bytes.ok_or(OpenError::Header("it vanished"))?)?
        }
    };
    let opens = |master: &MasterKey| {
        header.check.kind == Kind::Check && header.check.open(master, CHECK_ID).is_some()
    };
    match (&header.protection, passphrase) {
        (Protection::Argon2id(stretching), Some(passphrase)) => {
            let master = stretching.stretch(passphrase)?;
            if opens(&master) {
                Ok((master, MasterKeySource::Passphrase))
            } else {
                Err(OpenError::WrongPassphrase)
            }
        }
        (Protection::KeyFile, None) => {
            let (path, master) = (directory.file(KEY_FILE), read_key_file(directory)?);
            if opens(&master) {
                Ok((master, MasterKeySource::KeyFile { path, created }))
            } else {
                Err(OpenError::KeyFileWrong(path))
            }
        }
        (Protection::Argon2id(_), None) => Err(OpenError::PassphraseMissing),
        (Protection::KeyFile, Some(_)) => Err(OpenError::PassphraseNotUsed),
    }
}

fn read_header(bytes: &[u8]) -> Result<Header, OpenError> {
    let header: Header = serde_json::from_slice(bytes).map_err(|_| OpenError::Header("it is damaged"))?;
    if header.version == 1 {
        Ok(header)
    } else {
        Err(OpenError::Header("a newer version of this program wrote it"))
    }
}

/// Keys without a header mean that a file was lost, not that this is a new keystore.
fn refuse_headless(directory: &Directory) -> Result<(), OpenError> {
    for room in ["keys", "subjects", "secrets"] {
        if directory.holds_any(room)? {
            return Err(OpenError::HeaderMissing(directory.path().to_owned()));
        }
    }
    Ok(())
}

/// Makes the key file; `false` when there is one, left by a start that was killed before it wrote the header.
fn make_key_file(directory: &Directory) -> Result<bool, OpenError> {
    Ok(directory.create(KEY_FILE, &random::<32>()?[..])?)
}

fn read_key_file(directory: &Directory) -> Result<MasterKey, OpenError> {
    let path = directory.file(KEY_FILE);
    let bytes = Zeroizing::new(
        directory
            .read(KEY_FILE)?
            .ok_or_else(|| OpenError::KeyFileMissing(path.clone()))?,
    );
    let mode = directory.mode(KEY_FILE)?;
    if mode & 0o077 != 0 {
        return Err(OpenError::KeyFileOpen { path, mode });
    }
    MasterKey::from_slice(&bytes).ok_or(OpenError::KeyFileWrong(path))
}

fn make_header(directory: &Directory, passphrase: Option<&Secret>) -> Result<(), OpenError> {
    let (protection, master) = match passphrase {
        Some(passphrase) => {
            let stretching = Stretching {
                memory_kib: MEMORY_KIB,
                passes: PASSES,
                salt: hex::encode(&random::<16>()?[..]),
            };
            let master = stretching.stretch(passphrase)?;
            (Protection::Argon2id(stretching), master)
        }
        None => (Protection::KeyFile, read_key_file(directory)?),
    };
    let header = Header {
        version: 1,
        protection,
        check: Record::seal(&master, Kind::Check, CHECK_ID, &[], &[])?,
    };
    let bytes = serde_json::to_vec(&header).map_err(|_| OpenError::Header("it cannot be written"))?;
    directory.create(HEADER, &bytes)?;
    Ok(())
}
