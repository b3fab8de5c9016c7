//! The authorization ratchet: every operation of the REST API and every field of GraphQL × every credential × every
//! tenant, asked of the real binary, with the answer that the table says.
//!
//! The tables are in `authorization/operations.rs` and `authorization/fields.rs`. They are compared with what the code
//! declares: an operation or a field without a row fails, and so does a row that says another scope than the code. What
//! is another tenant's must be answered exactly as what never was.

mod fields;
mod graphql;
mod operations;
mod probe;
mod rest;
mod row;
mod schema;
mod socket;
mod who;
mod world;

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};
use vaultstream_domain::organization::scope;
use vaultstream_gateway::operation::Access;
use vaultstream_gateway::operations as declared;

use self::fields::{FIELDS, TYPES};
use self::operations::ROWS;
use self::row::Needs;
use self::who::Who;
use self::world::World;
use crate::refusal::{rested, unchanged};

/// Operations and fields that no row covers. The list may only shrink, and it is empty: its length is its type.
const UNCOVERED: [&str; 0] = [];

/// A scope that guards no operation but what an operation shows: the events of others in `listEvents`.
const WIDENS: &[&str] = &["audit:read"];

#[test]
fn every_operation_should_have_a_row_that_says_what_is_declared() {
    for operation in declared::ALL {
        let id = operation.id;
        if UNCOVERED.contains(&id) {
            continue;
        }
        let rows: Vec<_> = ROWS.iter().filter(|row| row.id == id).collect();
        let [row] = rows[..] else {
            panic!(
                "{id} has {} rows in tests/system/authorization/operations.rs; give it one",
                rows.len()
            );
        };
        let said = match (operation.access, row.needs) {
            (Access::Public, Needs::Public(why)) | (Access::SignedIn, Needs::SignedIn(why)) => {
                !why.is_empty()
            }
            (Access::Scope(scope), Needs::All(scopes)) => scopes == [scope],
            _ => false,
        };
        assert!(
            said,
            "{id} is declared {:?} and its row says {:?}",
            operation.access, row.needs
        );
        assert!(!row.places.is_empty(), "{id} is never asked");
    }
    for row in ROWS {
        assert!(declared::find(row.id).is_some(), "{} is no operation", row.id);
    }
}

#[test]
fn every_field_should_have_a_row() {
    let schema = schema::read(&vaultstream_query_api::sdl());
    let scopes_of = |ty: &str| {
        let found = TYPES.iter().find(|(types, _)| types.split(' ').any(|t| t == ty));
        found.map(|(_, scopes)| *scopes)
    };
    let mut wanted = BTreeSet::new();
    for (parent, fields) in &schema.objects {
        let own = scopes_of(parent);
        let own = own.unwrap_or_else(|| panic!("say in fields.rs which scopes guard the type {parent}"));
        let is_root = matches!(parent.as_str(), "Query" | "Subscription" | "Mutation");
        for (field, leads_to) in fields {
            let crosses =
                scopes_of(leads_to).is_some_and(|more| more.iter().any(|scope| !own.contains(scope)));
            if field == "node" && is_root {
                wanted.extend(schema.nodes.iter().map(|ty| format!("Query.node/{ty}")));
            } else if is_root || crosses {
                wanted.insert(format!("{parent}.{field}"));
            }
        }
    }
    assert!(
        schema.nodes.len() > 3 && wanted.len() > 20,
        "the schema was not read: {wanted:?}"
    );
    wanted.retain(|place| !UNCOVERED.contains(&place.as_str()));
    let rows: BTreeSet<_> = FIELDS.iter().map(|field| field.place.to_owned()).collect();
    assert_eq!(
        rows, wanted,
        "the rows of fields.rs and the published schema differ"
    );
}

#[test]
fn every_scope_should_guard_something() {
    let rows = ROWS
        .iter()
        .map(|row| row.needs)
        .chain(FIELDS.iter().map(|field| field.needs));
    let used: BTreeSet<_> = rows.flat_map(Needs::scopes).chain(WIDENS).copied().collect();
    let all: BTreeSet<_> = scope::ALL.iter().map(|(scope, _)| *scope).collect();
    assert_eq!(
        used, all,
        "a scope that guards nothing promises what nobody keeps"
    );
}

/// Findings of a phase: all of them are told, not the first.
#[derive(Default)]
struct Findings(Vec<String>);

impl Findings {
    fn note(&mut self, what: &str, result: Result<()>) {
        self.0
            .extend(result.err().map(|error| format!("{what}: {error:#}")));
    }

    fn none(self, phase: &str) -> Result<()> {
        ensure!(
            self.0.is_empty(),
            "{phase}: {} findings\n{}",
            self.0.len(),
            self.0.join("\n")
        );
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn everyone_should_get_what_the_table_says() -> Result<()> {
    let (world, credentials) = World::start().await?;
    let full = credentials
        .iter()
        .find(|c| c.who == Who::Full)
        .context("a full key")?;
    let before = rested(&world.product).await?;
    let mut findings = Findings::default();
    let refused = rest::refusals(&world, &credentials).await;
    findings.note("what is refused", at_least(1_000, refused));
    findings.note("another's", rest::strangers_things(&world, full).await);
    findings.note("queries", graphql::queries(&world, &credentials).await);
    findings.note(
        "subscriptions",
        graphql::subscriptions(&world, &credentials).await,
    );
    findings.note("the log", unchanged(&world.product, &before).await);
    findings.note(
        "what is let in",
        at_least(150, rest::successes(&world, &credentials).await),
    );
    findings.note("the platform", rest::platforms_things(&world, &credentials).await);
    findings.none("the table")
}

/// A phase that asked for too little has proven nothing.
fn at_least(least: usize, asked: Result<usize>) -> Result<()> {
    let asked = asked?;
    ensure!(asked >= least, "only {asked} of {least} requests were made");
    Ok(())
}
