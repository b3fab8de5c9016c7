//! Authentication: from what was presented to who asks.
//!
//! A key is compared with its stored hash in constant time; a session counts only as long as its key does, and never for
//! more than both allow. Every refusal reads the same, so that nobody learns which part was wrong. A stranger's text is
//! not looked up in the log before its address was allowed one more try.

use std::sync::Arc;

use async_trait::async_trait;
use vaultstream_domain::State;
use vaultstream_domain::organization::{ApiKeyState, SessionState};
use vaultstream_domain::ports::Clock;
use vaultstream_event_schemas::status::OrganizationStatus;
use vaultstream_event_schemas::{ApiKeyId, ErrorCode, SessionId, StreamId};

use crate::access::ScopeSet;
use crate::credential::{self, Secret};
use crate::directory::{Directory, Known};
use crate::error::ApiError;
use crate::principal::Principal;

/// What a request presents.
#[derive(Clone, Copy)]
pub enum Presented<'a> {
    /// `Authorization: Bearer <key>`.
    Key(&'a str),
    /// The session cookie.
    Cookie(&'a str),
}

/// Paid before a text that is not known is looked up in the log.
#[async_trait]
pub trait Toll: Send + Sync {
    /// Takes it, or says why not.
    async fn pay(&self) -> Result<(), ApiError>;
}

/// Who pays; nobody for a look-up of our own.
pub type BeforeLookup<'a> = Option<&'a dyn Toll>;

/// The service. Cheap to clone.
#[derive(Clone)]
pub struct Credentials {
    directory: Arc<Directory>,
    clock: Arc<dyn Clock>,
    /// Turns of those whom nobody remembers: one of a stream looks it up, the others find what it brought.
    lookups: Arc<[tokio::sync::Mutex<()>; LOOKUPS]>,
}

/// Streams that are looked up for strangers at the same time.
const LOOKUPS: usize = 64;

fn refused() -> ApiError {
    ApiError::new(ErrorCode::Unauthenticated).detail("the credential is unknown, wrong, expired or revoked")
}

impl Credentials {
    /// Over what the directory keeps.
    pub fn new(directory: Arc<Directory>, clock: Arc<dyn Clock>) -> Self {
        Self {
            directory,
            clock,
            lookups: Arc::new(std::array::from_fn(|_| tokio::sync::Mutex::new(()))),
        }
    }

    /// Who presents this.
    pub async fn authenticate(
        &self,
        presented: Presented<'_>,
        before: BeforeLookup<'_>,
    ) -> Result<Principal, ApiError> {
        match presented {
            Presented::Key(text) => {
                let (id, secret) = credential::parse::<ApiKeyId>(text).ok_or_else(refused)?;
                self.key(id, Some(&secret), before).await
            }
            Presented::Cookie(text) => {
                let (id, secret) = credential::parse::<SessionId>(text).ok_or_else(refused)?;
                self.session(id, Some(&secret), before).await
            }
        }
    }

    /// Whether who was let in would be let in now.
    pub async fn is_still_valid(&self, principal: &Principal) -> Result<bool, ApiError> {
        let again = match principal.session {
            Some(session) => self.session(session, None, None).await,
            None => self.key(principal.key, None, None).await,
        };
        match again {
            // Losing a scope or the organization's standing ends what was opened with it.
            Ok(now) => Ok(
                now.scopes == principal.scopes && now.organization_status == principal.organization_status
            ),
            Err(error) if error.code() == ErrorCode::Unauthenticated => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Returns when the principal's key or session was revoked, has expired, or may do less than before. Long-lived
    /// connections race this and close (a socket with 4401).
    pub async fn until_revoked(&self, principal: &Principal) {
        let mut changes = self.directory.changes();
        loop {
            // While the log does not answer nobody can be told anything new; the connection waits with it.
            if matches!(self.is_still_valid(principal).await, Ok(false)) {
                return;
            }
            tokio::select! {
                _ = changes.changed() => {}
                () = self.clock.sleep_ms(900) => {}
            }
        }
    }

    async fn known(&self, stream: StreamId, before: BeforeLookup<'_>) -> Result<Arc<Known>, ApiError> {
        let is_stranger = !self.directory.remembers(stream);
        if let Some(known) = self.directory.kept(stream).await {
            return Ok(known);
        }
        let Some(toll) = before.filter(|_| is_stranger) else {
            return self.directory.fresh(stream).await?.ok_or_else(refused);
        };
        // A client that opens all its connections at once, to a process that has just started, pays once.
        let _turn = self.turn(stream).lock().await;
        if let Some(known) = self.directory.kept(stream).await {
            return Ok(known);
        }
        toll.pay().await?;
        self.directory.fresh(stream).await?.ok_or_else(refused)
    }

    fn turn(&self, stream: StreamId) -> &tokio::sync::Mutex<()> {
        // The last byte of an id is random.
        let [.., byte] = *stream.id.as_bytes();
        &self.lookups[usize::from(byte) % LOOKUPS]
    }

    async fn key(
        &self,
        id: ApiKeyId,
        secret: Option<&Secret>,
        before: BeforeLookup<'_>,
    ) -> Result<Principal, ApiError> {
        let known = self.known(id.into(), before).await?;
        let State::ApiKey(key) = &known.state else {
            return Err(refused());
        };
        let issued = key.issued.as_ref().ok_or_else(refused)?;
        if secret.is_some_and(|s| !s.matches(&issued.secret_sha256)) {
            if let Some(toll) = before {
                toll.pay().await?;
            }
            return Err(refused());
        }
        if !key.is_usable(self.clock.now()) {
            return Err(refused());
        }
        self.principal(id, key, None).await
    }

    async fn session(
        &self,
        id: SessionId,
        secret: Option<&Secret>,
        before: BeforeLookup<'_>,
    ) -> Result<Principal, ApiError> {
        let known = self.known(id.into(), before).await?;
        let State::Session(session) = &known.state else {
            return Err(refused());
        };
        let opened = session.opened.as_ref().ok_or_else(refused)?;
        if secret.is_some_and(|s| !s.matches(&opened.secret_sha256)) {
            if let Some(toll) = before {
                toll.pay().await?;
            }
            return Err(refused());
        }
        let key_stream = self.known(opened.key.into(), before).await?;
        let State::ApiKey(key) = &key_stream.state else {
            return Err(refused());
        };
        let now = self.clock.now();
        if !session.is_usable(now) || !key.is_usable(now) {
            return Err(refused());
        }
        self.principal(opened.key, key, Some((id, session))).await
    }

    async fn principal(
        &self,
        id: ApiKeyId,
        key: &ApiKeyState,
        session: Option<(SessionId, &SessionState)>,
    ) -> Result<Principal, ApiError> {
        let issued = key.issued.as_ref().ok_or_else(refused)?;
        let organization = self.known(issued.organization.into(), None).await?;
        let State::Organization(state) = &organization.state else {
            return Err(refused());
        };
        let opened = session.and_then(|(_, s)| s.opened.as_ref());
        let mut scopes = ScopeSet::of(&key.scopes);
        let mut expires_at = issued.expires_at;
        if let Some(opened) = opened {
            scopes = scopes.and(ScopeSet::of(&opened.scopes));
            expires_at = Some(expires_at.map_or(opened.expires_at, |at| at.min(opened.expires_at)));
        }
        Ok(Principal {
            organization: issued.organization,
            organization_status: state.status.unwrap_or(OrganizationStatus::Closed),
            key: id,
            session: session.map(|(id, _)| id),
            scopes,
            expires_at,
        })
    }
}
