//! Why the domain refuses: one enum over all contexts, each refusal with a stable code and, where a caller sent it, a
//! field. Codes map totally to HTTP, gRPC and GraphQL in `event-schemas`.

use std::fmt;

use vaultstream_event_schemas::ErrorCode;

use crate::audit::AuditTrailError;
use crate::execution::{ExecutionError, SlotsError};
use crate::organization::{ApiKeyError, ClaimError, OrganizationError, SessionError};
use crate::platform::{RewindError, ViewGenerationError};
use crate::transfer::TransferError;
use crate::vault::{AccountError, VaultError};

/// A refusal that a caller understands.
pub trait Coded: std::error::Error {
    /// The stable code.
    fn code(&self) -> ErrorCode;
    /// The request's field that led to it, in the API's words.
    fn field(&self) -> Option<&'static str> {
        None
    }
}

/// An error with all its causes on one line, for logs: the text of an error never repeats its source's.
pub struct Causes<'a>(pub &'a (dyn std::error::Error + 'a));

impl fmt::Display for Causes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

macro_rules! domain_errors {
    ($($(#[$doc:meta])* $variant:ident($error:ty),)+) => {
        /// Why the domain refuses.
        #[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
        pub enum DomainError {
            $($(#[$doc])* #[error(transparent)] $variant(#[from] $error),)+
            /// The resource changed since the caller read it.
            #[error("the resource is at version {actual}, the request was made for version {expected}")]
            PreconditionFailed {
                /// The version the caller named.
                expected: u64,
                /// The version now.
                actual: u64,
            },
        }

        impl Coded for DomainError {
            fn code(&self) -> ErrorCode {
                match self {
                    $(Self::$variant(e) => e.code(),)+
                    Self::PreconditionFailed { .. } => ErrorCode::PreconditionFailed,
                }
            }
            fn field(&self) -> Option<&'static str> {
                match self {
                    $(Self::$variant(e) => e.field(),)+
                    Self::PreconditionFailed { .. } => Some("If-Match"),
                }
            }
        }
    };
}

domain_errors! {
    /// About an organization.
    Organization(OrganizationError),
    /// About an API key.
    ApiKey(ApiKeyError),
    /// About a session.
    Session(SessionError),
    /// About a claim.
    Claim(ClaimError),
    /// About a vault.
    Vault(VaultError),
    /// About an account.
    Account(AccountError),
    /// About a transfer.
    Transfer(TransferError),
    /// About an execution.
    Execution(ExecutionError),
    /// About an account's slots.
    Slots(SlotsError),
    /// About a view's generation.
    ViewGeneration(ViewGenerationError),
    /// About an auditor's trail.
    AuditTrail(AuditTrailError),
    /// About the release of a log that was behind its mark.
    Rewind(RewindError),
}

impl DomainError {
    /// Refuses when the caller named a version and the resource is at another one.
    pub fn check_version(expected: Option<u64>, actual: u64) -> Result<(), Self> {
        match expected {
            Some(expected) if expected != actual => Err(Self::PreconditionFailed { expected, actual }),
            _ => Ok(()),
        }
    }
}
