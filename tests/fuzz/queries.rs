//! Query strings, for every operation.

use axum::http::Uri;
use vaultstream_event_schemas::{OrganizationId, StreamId, Timestamp};
use vaultstream_gateway::operations;
use vaultstream_gateway::query::Params;

use crate::bodies::refused;
use crate::harness::{Target, Verdict, holds};

fn read(operation: &vaultstream_gateway::Operation, uri: &Uri) -> Verdict {
    let params = match Params::read(operation, uri) {
        Ok(params) => params,
        Err(error) => return refused(&error),
    };
    for name in operation.query {
        holds!(params.get(name) != Some(""), "an empty parameter counts");
        let parsed = [
            params.parsed::<Timestamp>(name).map(drop),
            params.parsed::<OrganizationId>(name).map(drop),
            params.parsed::<StreamId>(name).map(drop),
            params.flag(name).map(drop),
        ];
        parsed
            .iter()
            .filter_map(|parsed| parsed.as_ref().err())
            .try_for_each(refused)?;
    }
    match params.limit() {
        Ok(limit) => holds!((1..=200).contains(&limit), "a page of {limit}"),
        Err(error) => refused(&error)?,
    }
    Ok(())
}

#[test]
fn query_strings_should_be_read_or_refused_with_their_parameter() {
    Target::new("queries").fuzz(|bytes| {
        let path = [b"/v1/x?", bytes].concat();
        // What is no address is refused before any code of ours.
        let Ok(uri) = Uri::try_from(path) else {
            return Ok(());
        };
        operations::ALL
            .iter()
            .try_for_each(|operation| read(operation, &uri))
    });
}
