//! The promises about what travels: requests are strict, answers are lenient, absent options stay away.

use vaultstream_client::{ChangeOrganization, CreateVault, Page, Reason, RequestTransfer};

#[test]
fn requests_should_refuse_unknown_and_missing_fields_by_name() {
    let unknown = serde_json::from_str::<CreateVault>(r#"{"name":"a","colour":"red"}"#);
    assert!(unknown.is_err_and(|e| e.to_string().contains("unknown field `colour`")));
    let missing = serde_json::from_str::<RequestTransfer>(r#"{"asset":"a","amount":"1"}"#);
    assert!(missing.is_err_and(|e| e.to_string().contains("missing field `destination`")));
    let number = serde_json::from_str::<RequestTransfer>(r#"{"asset":"a","amount":1.5,"destination":"d"}"#);
    assert!(number.is_err(), "an amount is a string");
}

#[test]
fn absent_options_should_not_be_written() {
    let change = ChangeOrganization {
        name: None,
        approval: None,
    };
    assert_eq!(serde_json::to_string(&change).ok().as_deref(), Some("{}"));
    assert_eq!(
        serde_json::to_string(&Reason { reason: None }).ok().as_deref(),
        Some("{}")
    );
    let page = Page::<u8> {
        items: vec![1],
        next_cursor: None,
    };
    assert_eq!(
        serde_json::to_string(&page).ok().as_deref(),
        Some(r#"{"items":[1],"nextCursor":null}"#)
    );
}
