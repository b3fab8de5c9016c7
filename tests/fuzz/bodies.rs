//! Bodies of the REST API: every type that a stranger may send.

use std::fmt::Debug;

use serde::Serialize;
use serde::de::DeserializeOwned;
use vaultstream_client::{
    AddAccount, ChangeAccount, ChangeOrganization, ChangeVault, CheckAddress, CreateVault, EraseSubject,
    FaucetRequest, IssueApiKey, OpenSession, Reason, RebuildView, RegisterOrganization, RequestTransfer,
    RetryView,
};
use vaultstream_event_schemas::ErrorCode;
use vaultstream_gateway::{ApiError, json, operations};

use crate::harness::{Target, Verdict, holds};

/// A refusal has a code of the caller's, and names the field unless the whole is no JSON.
pub fn refused(error: &ApiError) -> Verdict {
    let code = error.code();
    holds!(
        (400..500).contains(&code.http_status()),
        "{code} is no refusal of what was sent"
    );
    holds!(
        !error.detail_text().is_empty() && error.detail_text().len() < 1_100,
        "a refusal without words: {code}"
    );
    let whole = matches!(code, ErrorCode::InvalidJson | ErrorCode::BodyTooLarge);
    holds!(
        whole || !error.fields().is_empty(),
        "{code} names no field: {}",
        error.detail_text()
    );
    let name = error.fields().iter().map(|field| field.field.len()).max();
    holds!(
        name.is_none_or(|name| name < 300),
        "{name:?} bytes of a field's name"
    );
    Ok(())
}

fn body<T: DeserializeOwned + Serialize + PartialEq + Debug>(bytes: &[u8]) -> Verdict {
    match json::parse::<T>(bytes) {
        Ok(body) => {
            let written = serde_json::to_vec(&body).map_err(|e| e.to_string())?;
            let again = json::parse::<T>(&written);
            holds!(
                again.as_ref().is_ok_and(|again| *again == body),
                "it is written as another: {again:?}"
            );
            Ok(())
        }
        Err(error) => refused(&error),
    }
}

type Parser = fn(&[u8]) -> Verdict;

/// Every type of a body, by the name that the table of operations has for it.
const BODIES: &[(&str, Parser)] = &[
    ("AddAccount", body::<AddAccount>),
    ("ChangeAccount", body::<ChangeAccount>),
    ("ChangeOrganization", body::<ChangeOrganization>),
    ("ChangeVault", body::<ChangeVault>),
    ("CheckAddress", body::<CheckAddress>),
    ("CreateVault", body::<CreateVault>),
    ("EraseSubject", body::<EraseSubject>),
    ("FaucetRequest", body::<FaucetRequest>),
    ("IssueApiKey", body::<IssueApiKey>),
    ("OpenSession", body::<OpenSession>),
    ("Reason", body::<Reason>),
    ("RebuildView", body::<RebuildView>),
    ("RegisterOrganization", body::<RegisterOrganization>),
    ("RequestTransfer", body::<RequestTransfer>),
    ("RetryView", body::<RetryView>),
];

#[test]
fn bodies_should_be_read_or_refused_with_their_field() {
    for name in operations::ALL.iter().filter_map(|operation| operation.body) {
        assert!(
            BODIES.iter().any(|(body, _)| *body == name),
            "say in bodies.rs how {name} is read"
        );
    }
    Target::new("bodies").fuzz(|bytes| BODIES.iter().try_for_each(|(_, parse)| parse(bytes)));
}
