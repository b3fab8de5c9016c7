//! `Keyring`: one data key a subject, and the installation's own secrets.
//!
//! An erased key leaves a tombstone in its place, so that a late seal cannot make a new key under the same name. The
//! file's name is the hash of the subject's, which may be any text.

use async_trait::async_trait;
use sha2::{Digest, Sha256};
use vaultstream_domain::ports::Keyring;
use vaultstream_domain::ports::keyring::{KeyringError, SealedBytes};
use vaultstream_event_schemas::ShardNumber;
use vaultstream_event_schemas::token::Place;
use zeroize::Zeroizing;

use crate::cipher::{MasterKey, random};
use crate::error::StoreError;
use crate::record::{Kind, Record};
use crate::{Inner, Keystore};

const SUBJECT_CHARS_MAX: usize = 128;
const NAME_CHARS_MAX: usize = 64;

enum SubjectKey {
    Absent,
    Erased,
    Key(MasterKey),
}

struct Subject {
    file: String,
    id: String,
}

impl Subject {
    fn new(name: &str) -> Result<Self, StoreError> {
        if name.is_empty() || name.chars().count() > SUBJECT_CHARS_MAX {
            return Err(StoreError::Subject);
        }
        let id = hex::encode(Sha256::digest(name.as_bytes()));
        Ok(Self {
            file: format!("subjects/{id}.json"),
            id,
        })
    }
}

impl Inner {
    fn subject_key(&self, subject: &Subject) -> Result<SubjectKey, StoreError> {
        match self.read_subject(subject) {
            // An eraser wipes the old file after replacing it: whoever had it open reads zeros once.
            Err(StoreError::Damaged(_)) => self.read_subject(subject),
            answer => answer,
        }
    }

    fn read_subject(&self, subject: &Subject) -> Result<SubjectKey, StoreError> {
        let Some(bytes) = self.directory.read(&subject.file)? else {
            return Ok(SubjectKey::Absent);
        };
        let open = || {
            let record = Record::from_bytes(&bytes)?;
            let secret = record.open(&self.master, &subject.id)?;
            match record.kind {
                Kind::SubjectErased => Some(SubjectKey::Erased),
                Kind::Subject => MasterKey::from_slice(&secret).map(SubjectKey::Key),
                _ => None,
            }
        };
        open().ok_or_else(|| StoreError::Damaged(self.directory.file(&subject.file)))
    }

    /// The subject's key, made when there is none; `None` when it was erased.
    fn sealing_key(&self, subject: &Subject) -> Result<Option<MasterKey>, StoreError> {
        for _ in 0..2 {
            match self.subject_key(subject)? {
                SubjectKey::Key(key) => return Ok(Some(key)),
                SubjectKey::Erased => return Ok(None),
                SubjectKey::Absent => {
                    let key = random::<32>()?;
                    let record = Record::seal(&self.master, Kind::Subject, &subject.id, &[], &key[..])?;
                    self.directory.create(&subject.file, &record.to_bytes())?;
                }
            }
        }
        Err(StoreError::Damaged(self.directory.file(&subject.file)))
    }

    fn seal(&self, name: &str, aad: &[u8], plain: &[u8]) -> Result<SealedBytes, KeyringError> {
        let key = self.sealing_key(&Subject::new(name)?)?;
        let key = key.ok_or_else(|| KeyringError::Erased(name.to_owned()))?;
        Ok(key.seal(aad, plain)?)
    }

    fn open_sealed(&self, name: &str, aad: &[u8], sealed: &SealedBytes) -> Result<Vec<u8>, KeyringError> {
        let damaged = || KeyringError::Damaged(name.to_owned());
        match self.subject_key(&Subject::new(name)?)? {
            SubjectKey::Erased => Err(KeyringError::Erased(name.to_owned())),
            SubjectKey::Absent => Err(KeyringError::Absent(name.to_owned())),
            SubjectKey::Key(key) => {
                let plain = key.open(aad, &sealed.0, &sealed.1).ok_or_else(damaged)?;
                Ok(plain.to_vec())
            }
        }
    }

    fn is_erased(&self, name: &str) -> Result<bool, StoreError> {
        let key = self.subject_key(&Subject::new(name)?)?;
        Ok(matches!(key, SubjectKey::Erased))
    }

    fn erase(&self, name: &str) -> Result<(), StoreError> {
        let subject = Subject::new(name)?;
        if matches!(self.subject_key(&subject), Ok(SubjectKey::Erased)) {
            return Ok(());
        }
        let tombstone = Record::seal(&self.master, Kind::SubjectErased, &subject.id, &[], &[])?;
        self.directory
            .replace_and_wipe(&subject.file, &tombstone.to_bytes())
    }

    pub(crate) fn platform_secret(&self, name: &'static str) -> Result<[u8; 32], StoreError> {
        let valid = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        if name.is_empty() || name.len() > NAME_CHARS_MAX || !name.bytes().all(valid) {
            return Err(StoreError::Name(name));
        }
        let file = format!("secrets/{name}.json");
        let damaged = || StoreError::Damaged(self.directory.file(&file));
        if self.directory.read(&file)?.is_none() {
            let secret = random::<32>()?;
            let record = Record::seal(&self.master, Kind::PlatformSecret, name, &[], &secret[..])?;
            self.directory.create(&file, &record.to_bytes())?;
        }
        let bytes = self.directory.read(&file)?.ok_or_else(damaged)?;
        let record = Record::from_bytes(&bytes).filter(|r| r.kind == Kind::PlatformSecret);
        let secret = record
            .and_then(|r| r.open(&self.master, name))
            .ok_or_else(damaged)?;
        MasterKey::from_slice(&secret)
            .map(|key| *key.bytes())
            .ok_or_else(damaged)
    }
}

#[async_trait]
impl Keyring for Keystore {
    async fn seal_bytes(&self, subject: &str, aad: &[u8], plain: &[u8]) -> Result<SealedBytes, KeyringError> {
        let (subject, aad) = (subject.to_owned(), aad.to_vec());
        let plain = Zeroizing::new(plain.to_vec());
        self.run(move |inner| inner.seal(&subject, &aad, &plain)).await
    }

    async fn open_bytes(
        &self,
        subject: &str,
        aad: &[u8],
        sealed: &SealedBytes,
    ) -> Result<Vec<u8>, KeyringError> {
        let (subject, aad, sealed) = (subject.to_owned(), aad.to_vec(), sealed.clone());
        self.run(move |inner| inner.open_sealed(&subject, &aad, &sealed))
            .await
    }

    async fn erase(&self, subject: &str) -> Result<(), KeyringError> {
        let subject = subject.to_owned();
        self.run(move |inner| Ok(inner.erase(&subject)?)).await
    }

    async fn is_erased(&self, subject: &str) -> Result<bool, KeyringError> {
        let subject = subject.to_owned();
        self.run(move |inner| Ok(inner.is_erased(&subject)?)).await
    }

    async fn carried_out(&self, shard: ShardNumber) -> Result<Option<Place>, KeyringError> {
        self.run(move |inner| Ok(inner.carried_out(shard)?)).await
    }

    async fn note_carried_out(&self, shard: ShardNumber, place: Place) -> Result<(), KeyringError> {
        self.run(move |inner| Ok(inner.note_carried_out(shard, place)?))
            .await
    }

    async fn platform_secret(&self, name: &'static str) -> Result<[u8; 32], KeyringError> {
        self.run(move |inner| Ok(inner.platform_secret(name)?)).await
    }
}
