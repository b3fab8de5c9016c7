//! Organizations, the keys and sessions that act for them, and the claims that make requests happen once.
//!
//! `profile` is the Organization aggregate itself: active → suspended → closed. Keys and sessions are issued → revoked;
//! a claim is bound once and for ever.

mod api_key;
mod claim;
mod profile;
pub mod scope;
mod session;
mod use_cases;

pub use api_key::{ApiKey, ApiKeyCommand, ApiKeyError, ApiKeyEvent, ApiKeyState};
pub use claim::{BindClaim, Claim, ClaimError, ClaimEvent, ClaimState, claim_id};
pub use profile::{
    Organization, OrganizationCommand, OrganizationError, OrganizationEvent, OrganizationState, PersonalData,
};
pub use session::{Session, SessionCommand, SessionError, SessionEvent, SessionState};
pub(crate) use use_cases::active;
pub use use_cases::{
    ChangeApiKey, ChangeOrganization, ChangeSession, IssueApiKey, OfferSession, OpenSession,
    RegisterOrganization,
};
