//! The words of the REST API as Rust types, and a thin client that speaks them.
//!
//! The types are what travels: camel case, amounts as decimal strings of minor units, ids with their prefixes, times in
//! RFC 3339. Requests refuse unknown fields when they are read; answers do not, so that a client survives a newer
//! server. Requests carry free text where the server has to answer a precise refusal (`amount`, `asset`,
//! `destination`): reading them never fails on their meaning, only on their form. Safe to compile to wasm.

#[macro_use]
mod dto;

pub mod account;
pub mod api_key;
pub mod chain;
pub mod command;
pub mod erasure;
pub mod event;
#[cfg(feature = "http")]
pub mod http;
pub mod organization;
pub mod page;
pub mod problem;
pub mod session;
pub mod transfer;
pub mod vault;
pub mod view;

pub use account::{Account, Balance, ChangeAccount};
pub use api_key::{ApiKey, ApiKeyStatus, IssueApiKey};
pub use chain::{AddressCheck, Chain, CheckAddress, FaucetPayment, FaucetRequest};
pub use command::{Command, CommandStatus};
pub use erasure::{Datum, DatumStatus, EraseSubject, Erasure};
pub use event::{Event, EventPage};
#[cfg(feature = "http")]
pub use http::{Client, ClientError};
pub use organization::{ChangeOrganization, Contact, Organization, RegisterOrganization};
pub use page::{AssetAmount, Page, Reason};
pub use problem::{FieldProblem, Problem};
pub use session::{OpenSession, Session, SessionStatus};
pub use transfer::{
    Approver, Execution, Failure, FeeEstimate, RequestTransfer, Transfer, TransferAccepted, TransferPreview,
};
pub use vault::{AddAccount, ChangeVault, CreateVault, Vault, VaultAccount};
pub use view::{
    ParkedStream, Rebuild, RebuildAccepted, RebuildStatus, RebuildView, RetryAccepted, RetryOutcome,
    RetryView, View, ViewGeneration,
};

/// The header that carries a consistency token.
pub const TOKEN_HEADER: &str = "vaultstream-token";
/// The header of a 202 that names the newest checkpoint signed before the answer: `<number>:<SHA-256 of its text>`.
pub const CHECKPOINT_HEADER: &str = "vaultstream-checkpoint";
/// The header that a browser's own page adds to requests that use the session cookie.
pub const BROWSER_HEADER: &str = "x-vaultstream-request";
/// The name of the session cookie.
pub const SESSION_COOKIE: &str = "vaultstream_session";
