//! What one GraphQL request may ask for. Numbers live here and nowhere else; each excess has its code and sentence.
//!
//! The order matters: bytes and brackets are counted before the recursive parser runs, the parsed document is measured
//! with fragments counted where they are spread (in linear time, so a fragment bomb costs nothing) before validation
//! expands it, and complexity with page sizes is computed by validation last.

mod document;
mod scan;

use async_graphql::parser::types::OperationType;
use async_graphql::{Pos, Request, ServerError};
use vaultstream_event_schemas::ErrorCode;

use crate::refusal::Refusal;

pub use scan::normalized;

/// The largest request body, and the largest message on a socket.
pub const MAX_BODY: usize = 64 * 1024;
/// Brackets of any kind inside each other.
pub const MAX_BRACKETS: usize = 48;
/// Fields inside each other.
pub const MAX_DEPTH: usize = 12;
/// Fields inside each other in an introspection query, whose `ofType` chain is long by nature.
pub const MAX_INTROSPECTION_DEPTH: usize = 16;
/// Fields, with fragments counted wherever they are spread and pages multiplied by their size.
pub const MAX_COMPLEXITY: usize = 2_000;
/// Renamed fields.
pub const MAX_ALIASES: usize = 30;
/// Fields of the root.
pub const MAX_ROOT_FIELDS: usize = 15;
/// Directives on one selection.
pub const MAX_DIRECTIVES: usize = 4;
/// Operations and fragments of a document.
pub const MAX_DEFINITIONS: usize = 100;
/// Entries of a page.
pub const MAX_PAGE: usize = 200;
/// How long a query may take, in milliseconds.
pub const TIMEOUT_MS: u64 = 5_000;

/// Checks the size of a page.
pub fn page_size(first: i32) -> Result<usize, Refusal> {
    page_size_in("first", first)
}

/// Checks the size of a page that an argument gives.
pub fn page_size_in(argument: &str, size: i32) -> Result<usize, Refusal> {
    usize::try_from(size)
        .ok()
        .filter(|n| (1..=MAX_PAGE).contains(n))
        .ok_or_else(|| Refusal::field(argument, format!("{argument} is 1 to {MAX_PAGE}, not {size}")))
}

/// The complexity of a page: what one entry costs, times how many are asked for. A size that is refused costs one
/// entry, so that the refusal names the size.
pub fn page_cost(first: i32, child: usize) -> usize {
    page_size(first)
        .unwrap_or(1)
        .saturating_mul(child)
        .saturating_add(1)
}

/// The complexity of entries that are read together and hold what they show: their number and what is shown of one.
pub fn entries_cost(size: i32, child: usize) -> usize {
    page_size(size).unwrap_or(1).saturating_add(child)
}

/// Which door a request came through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// `POST /graphql`: queries.
    Http,
    /// `GET /graphql/ws`: subscriptions.
    Socket,
}

/// Parses and measures a request; what passes may be executed. Only callers with an API key may ask about the schema.
pub fn admit(request: &mut Request, door: Door, introspection: bool) -> Result<(), ServerError> {
    scan::check(&request.query).map_err(refuse)?;
    let document = request.parsed_query()?;
    if document::check(document).map_err(refuse)? && !introspection {
        return Err(refuse(Refusal::new(
            ErrorCode::QueryInvalid,
            "only API keys may ask about the schema; it is published beside the documentation",
        )));
    }
    let subscribes = |o: &OperationType| *o == OperationType::Subscription;
    let fits = document.operations.iter().all(|(_, operation)| match door {
        Door::Http => !subscribes(&operation.node.ty),
        Door::Socket => subscribes(&operation.node.ty),
    });
    if fits {
        return Ok(());
    }
    Err(refuse(Refusal::new(
        ErrorCode::QueryInvalid,
        match door {
            Door::Http => "subscriptions are served on GET /graphql/ws",
            Door::Socket => "a socket takes subscriptions; queries go to POST /graphql",
        },
    )))
}

fn refuse(refusal: Refusal) -> ServerError {
    let mut error = async_graphql::Error::from(refusal).into_server_error(Pos::default());
    error.locations.clear();
    error
}

pub(crate) fn too_complex(detail: impl Into<String>) -> Refusal {
    Refusal::new(ErrorCode::QueryTooComplex, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn page_should_be_between_one_and_two_hundred() {
        assert_eq!(page_size(1), Ok(1));
        assert_eq!(page_size(200), Ok(200));
        for bad in [0, -1, 201, i32::MAX, i32::MIN] {
            let refusal = page_size(bad).expect_err("out of range");
            assert_eq!(refusal.field.as_deref(), Some("first"));
        }
    }

    #[test]
    fn page_cost_should_never_overflow() {
        assert_eq!(page_cost(50, 10), 501);
        assert_eq!(page_cost(i32::MAX, usize::MAX), usize::MAX);
        assert_eq!(page_cost(-5, 10), 11);
        assert_eq!(entries_cost(i32::MAX, usize::MAX), usize::MAX);
        assert_eq!(entries_cost(70, 30), 100);
    }
}
