//! What each field of the schema is made of, in one table: what an answer has to be kept under, and what is never kept.
//!
//! An operation touches what its fields touch. A field that is not in the table makes its operation one that is never
//! kept; a test compares the table with the schema, so that a new field is thought about. Another compares it with the
//! reads that really happen.

use std::collections::{BTreeSet, HashMap, HashSet};

use async_graphql::parser::parse_schema;
use async_graphql::parser::types::{
    BaseType, ExecutableDocument, Field, Selection, SelectionSet, Type, TypeKind, TypeSystemDefinition,
};
use async_graphql::{Name, Value, Variables};
use vaultstream_projectors::view_name::ViewName::{
    self, Balances, Directory, Feed, Lookup, Transfers, Vaults,
};

/// What an answer depends on besides its question and its tenant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Touches {
    /// The views that are read.
    pub views: BTreeSet<ViewName>,
    /// Where the chains stand.
    pub heads: bool,
    /// Who asks, not only for whom.
    pub actor: bool,
}

/// What a field adds.
#[derive(Debug, Clone, Copy)]
enum Needs {
    /// Nothing: it is part of what it is asked of, or of the configuration.
    Nothing,
    /// Rows of these views.
    Views(&'static [ViewName]),
    /// Where the chains stand.
    Heads,
    /// Who asks.
    Actor,
    /// More than a key can hold (the log, the time), or what may lie nowhere in clear.
    Never,
}

use Needs::{Actor, Heads, Never, Nothing, Views};

const READ_BY_ID: &[ViewName] = &[Directory, Vaults, Balances, Transfers];

/// Fields by type; the words of a line need the same.
const TABLE: &[(&str, &[(&str, Needs)])] = &[
    (
        "Query",
        &[
            ("viewer chains", Nothing),
            ("node", Views(READ_BY_ID)),
            ("vault", Views(&[Vaults])),
            // the sorts by balance and by activity read more than vaults
            ("vaults", Views(&[Vaults, Balances, Transfers])),
            ("transfer transfers", Views(&[Transfers])),
            ("balances", Views(&[Vaults, Balances])),
            ("totals", Views(&[Vaults, Balances, Transfers])),
            ("feed", Views(&[Feed])),
            // a text may be an id
            ("search", Views(&[Lookup, Vaults, Balances, Transfers])),
            ("freshness", Never),
        ],
    ),
    ("Node", &[("id", Nothing)]),
    (
        "Viewer",
        &[
            ("organization", Views(&[Directory])),
            ("actor", Actor),
            ("scopes", Nothing),
        ],
    ),
    (
        "Organization",
        &[("id name status approval createdAt version", Nothing)],
    ),
    (
        "Vault",
        &[
            ("id name tier status createdAt updatedAt version", Nothing),
            ("accounts balances totals", Views(&[Balances])),
            ("transfers", Views(&[Transfers])),
        ],
    ),
    (
        "Account",
        &[
            (
                "id vaultId chain status custody address label reason createdAt version",
                Nothing,
            ),
            ("vault", Views(&[Vaults])),
            ("balances", Views(&[Balances])),
        ],
    ),
    (
        "Transfer",
        &[
            (
                "id status terminal vaultId accountId chain amount destination feeMax fee externalId requestedAt \
                 requestedBy expiresAt updatedAt rule approvalsNeeded approvals approvedBy reason executions txid \
                 block failure version",
                Nothing,
            ),
            ("vault", Views(&[Vaults])),
            ("account", Views(&[Balances])),
            ("timeline memo memoErased", Never),
        ],
    ),
    (
        "Execution",
        &[
            (
                "id transferId transferIds accountId status slot digest txid attempts broadcasts block succeeded fee \
                 feeMax lastError lastOutcome failure createdAt updatedAt version",
                Nothing,
            ),
            ("confirmations", Heads),
        ],
    ),
    (
        "Event",
        &[
            (
                "id type occurredAt actor vaultId subjectId shard position data",
                Nothing,
            ),
            ("vaultName", Views(&[Vaults])),
        ],
    ),
    (
        "Chain",
        &[("id slug name sandbox assets", Nothing), ("head", Heads)],
    ),
    (
        "Head",
        &[("height hash safe finalized", Nothing), ("ageMs", Never)],
    ),
    (
        "Balance",
        &[(
            "vaultId accountId asset minor decimals symbol block observedAt",
            Nothing,
        )],
    ),
    ("Asset", &[("id symbol decimals chain native", Nothing)]),
    ("AssetTotal Money", &[("asset minor decimals symbol", Nothing)]),
    ("Block", &[("hash height", Nothing)]),
    ("Failure", &[("code detail remedy", Nothing)]),
    (
        "PageInfo",
        &[("hasPreviousPage hasNextPage startCursor endCursor", Nothing)],
    ),
    (
        "VaultConnection TransferConnection FeedConnection",
        &[("edges nodes pageInfo", Nothing)],
    ),
    ("VaultEdge TransferEdge FeedEdge", &[("cursor node", Nothing)]),
    ("SearchHit", &[("kind id vaultId label", Nothing)]),
    ("StatusCount", &[("status count", Nothing)]),
    (
        "Totals",
        &[("vaults accounts assets transfers openTransfers", Nothing)],
    ),
];

fn needs_of(parent: &str, field: &str) -> Option<Needs> {
    let named = |words: &str, word: &str| words.split_ascii_whitespace().any(|w| w == word);
    let (_, fields) = TABLE.iter().find(|(types, _)| named(types, parent))?;
    fields
        .iter()
        .find(|(words, _)| named(words, field))
        .map(|(_, needs)| *needs)
}

/// The fields of the schema's types: what each needs, when the table knows it, and the type it leads to.
#[derive(Debug)]
pub struct Fields(HashMap<String, HashMap<String, (Option<Needs>, String)>>);

fn named(ty: &Type) -> &Name {
    match &ty.base {
        BaseType::Named(name) => name,
        BaseType::List(inner) => named(inner),
    }
}

impl Fields {
    /// The fields of a schema, from its own export.
    ///
    /// # Panics
    /// When the export is not in the schema language, which a test would have shown.
    pub fn of_schema(sdl: &str) -> Self {
        let document = parse_schema(sdl).expect("the schema's own export is in the schema language");
        let mut types = HashMap::new();
        for definition in document.definitions {
            let TypeSystemDefinition::Type(definition) = definition else {
                continue;
            };
            let fields = match definition.node.kind {
                TypeKind::Object(object) => object.fields,
                TypeKind::Interface(interface) => interface.fields,
                _ => continue,
            };
            let parent = definition.node.name.node.to_string();
            let fields = fields.into_iter().map(|field| {
                let name = field.node.name.node.to_string();
                let needs = needs_of(&parent, &name);
                (name, (needs, named(&field.node.ty.node).to_string()))
            });
            let fields = fields.collect();
            types.insert(parent, fields);
        }
        Self(types)
    }

    /// What the operations of a document touch; none when its answer is not to be kept.
    pub fn touched(&self, document: &ExecutableDocument, variables: &Variables) -> Option<Touches> {
        let mut walk = Walk {
            fields: self,
            document,
            variables,
            spread: HashSet::new(),
            touches: Touches::default(),
        };
        for (_, operation) in document.operations.iter() {
            walk.set("Query", &operation.node.selection_set.node)?;
        }
        let touches = walk.touches;
        (!touches.views.is_empty() || touches.heads).then_some(touches)
    }
}

struct Walk<'a> {
    fields: &'a Fields,
    document: &'a ExecutableDocument,
    variables: &'a Variables,
    /// Fragments are walked once, wherever they are spread.
    spread: HashSet<&'a Name>,
    touches: Touches,
}

impl<'a> Walk<'a> {
    /// None as soon as something is not to be kept.
    fn set(&mut self, parent: &'a str, set: &'a SelectionSet) -> Option<()> {
        for selection in &set.items {
            match &selection.node {
                Selection::Field(field) => self.field(parent, &field.node)?,
                Selection::InlineFragment(inline) => {
                    let on = inline.node.type_condition.as_ref();
                    let on = on.map_or(parent, |on| on.node.on.node.as_str());
                    self.set(on, &inline.node.selection_set.node)?;
                }
                Selection::FragmentSpread(spread) => {
                    let name = &spread.node.fragment_name.node;
                    if self.spread.insert(name) {
                        let fragment = self.document.fragments.get(name)?;
                        let on = fragment.node.type_condition.node.on.node.as_str();
                        self.set(on, &fragment.node.selection_set.node)?;
                    }
                }
            }
        }
        Some(())
    }

    /// Whether the past is asked about: it is folded from the log.
    fn is_past(&self, field: &Field) -> bool {
        let Some(as_of) = field.get_argument("asOf") else {
            return false;
        };
        // a variable that was not sent may have a default
        let sent = |name: Name| self.variables.get(&name).cloned().ok_or(());
        as_of.node.clone().into_const_with(sent) != Ok(Value::Null)
    }

    fn field(&mut self, parent: &str, field: &'a Field) -> Option<()> {
        let (name, inner) = (field.name.node.as_str(), &field.selection_set.node);
        if name == "__typename" {
            return Some(());
        }
        if self.is_past(field) {
            return None;
        }
        let (needs, leads_to) = self.fields.0.get(parent)?.get(name)?;
        match (*needs)? {
            Nothing => {}
            Views(views) => self.touches.views.extend(views),
            Heads => self.touches.heads = true,
            Actor => self.touches.actor = true,
            Never => return None,
        }
        self.set(leads_to, inner)
    }
}

#[cfg(test)]
mod tests {
    use async_graphql::parser::parse_query;

    use super::*;
    use crate::schema::sdl;

    fn touched(query: &str) -> Option<Touches> {
        touched_with(query, serde_json::Value::Null)
    }

    fn touched_with(query: &str, variables: serde_json::Value) -> Option<Touches> {
        let variables = Variables::from_json(variables);
        Fields::of_schema(&sdl()).touched(&parse_query(query).expect("parses"), &variables)
    }

    /// Types that only subscriptions and what is never kept lead to.
    fn reachable(fields: &Fields) -> BTreeSet<&str> {
        let (mut seen, mut open) = (BTreeSet::from(["Query"]), vec!["Query"]);
        while let Some(parent) = open.pop() {
            for (needs, leads_to) in fields.0.get(parent).into_iter().flat_map(HashMap::values) {
                if !matches!(needs, Some(Never)) && fields.0.contains_key(leads_to) && seen.insert(leads_to) {
                    open.push(leads_to);
                }
            }
        }
        // what implements an interface is asked of it by a fragment
        seen.extend(["Account", "Execution", "Organization", "Transfer", "Vault"]);
        seen
    }

    #[test]
    fn table_should_hold_every_field_a_query_leads_to_and_no_other() {
        let fields = Fields::of_schema(&sdl());
        let reachable = reachable(&fields);
        for parent in &reachable {
            for (field, (needs, _)) in &fields.0[*parent] {
                assert!(
                    needs.is_some(),
                    "{parent}.{field} is not in the table of query-api/src/schema/touches.rs: say what it reads"
                );
            }
        }
        for (types, lines) in TABLE {
            for parent in types.split_ascii_whitespace() {
                assert!(reachable.contains(parent), "{parent} is no type a query leads to");
                for field in lines.iter().flat_map(|(words, _)| words.split_ascii_whitespace()) {
                    assert!(
                        fields.0[parent].contains_key(field),
                        "{parent} has no field {field}"
                    );
                }
            }
        }
    }

    #[test]
    fn operation_should_touch_what_its_fields_touch() {
        let views = |touches: Option<Touches>| {
            touches
                .expect("may be kept")
                .views
                .into_iter()
                .collect::<Vec<_>>()
        };
        assert_eq!(views(touched("{ vault(id: \"v\") { name } }")), [Vaults]);
        let nested = "{ vault(id: \"v\") { ...f } } fragment f on Vault { accounts { id } ...g } fragment g on Vault { name }";
        assert_eq!(views(touched(nested)), [Vaults, Balances]);
        let inline = "{ node(id: \"v\") { id ... on Transfer { executions { confirmations } } __typename } }";
        let touches = touched(inline).expect("may be kept");
        assert!(touches.heads && !touches.actor);
        let touches = touched("{ viewer { actor } totals { vaults } }").expect("may be kept");
        assert!(touches.actor && !touches.heads);
    }

    #[test]
    fn what_no_key_can_hold_should_never_be_kept() {
        for query in [
            "{ freshness { token } vaults(first: 1) { nodes { id } } }",
            "{ transfer(id: \"t\") { timeline(last: 1) { nodes { id } } } }",
            "{ transfers(first: 1) { nodes { memo } } }",
            "{ chains { head { ageMs } } }",
            "{ vaults(first: 1) { nodes { ...f } } } fragment f on Vault { transfers(first: 1) { nodes { timeline(last: 1) { nodes { id } } } } }",
            "{ vault(id: \"v\") { unknown } }",
            "{ vault(id: \"v\") { ...missing } }",
            // the past is folded from the log
            "{ vault(id: \"v\", asOf: \"2026-03-01T00:00:00Z\") { name } }",
            "query($t: String = \"2026-03-01T00:00:00Z\") { node(id: \"v\", asOf: $t) { id } chains { head { hash } } }",
            "{ __schema { types { name } } }",
            // nothing is read: nothing is saved by keeping it
            "{ viewer { scopes } }",
            "{ chains { slug } }",
        ] {
            assert_eq!(touched(query), None, "{query}");
        }
        assert!(
            touched("{ chains { head { hash } } }")
                .expect("may be kept")
                .heads
        );
    }
}
