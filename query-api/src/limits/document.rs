//! Measures a parsed document: what it would be with every fragment written out, without writing it out.
//!
//! A fragment is measured once and its measure is added wherever it is spread, so a document of n bytes costs O(n),
//! however large it would become. Sums saturate.

use std::collections::HashMap;

use async_graphql::Name;
use async_graphql::parser::types::{ExecutableDocument, OperationType, Selection, SelectionSet};
use vaultstream_event_schemas::ErrorCode;

use super::{
    MAX_ALIASES, MAX_COMPLEXITY, MAX_DEFINITIONS, MAX_DEPTH, MAX_DIRECTIVES, MAX_INTROSPECTION_DEPTH,
    MAX_ROOT_FIELDS, too_complex,
};
use crate::refusal::Refusal;

/// What a selection comes to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Measure {
    fields: usize,
    aliases: usize,
    depth: usize,
    /// Fields of the set itself, fragments written out.
    top: usize,
    /// Fields of the set itself that are not introspection.
    top_real: usize,
    /// Fields that ask about the schema.
    schema: usize,
}

enum Mark {
    Open,
    Done(Measure),
}

struct Meter<'a> {
    document: &'a ExecutableDocument,
    fragments: HashMap<&'a Name, Mark>,
}

/// Refuses documents beyond the limits, fragment cycles, and subscriptions of more than one field; says whether the
/// document asks about the schema.
pub fn check(document: &ExecutableDocument) -> Result<bool, Refusal> {
    let operations = document.operations.iter().len();
    if operations + document.fragments.len() > MAX_DEFINITIONS {
        return Err(too_complex(format!(
            "the document has more than {MAX_DEFINITIONS} operations and fragments"
        )));
    }
    let mut meter = Meter {
        document,
        fragments: HashMap::new(),
    };
    for name in document.fragments.keys() {
        meter.fragment(name)?;
    }
    let mut introspects = false;
    for (_, operation) in document.operations.iter() {
        check_directives(operation.node.directives.len())?;
        let measure = meter.set(&operation.node.selection_set.node)?;
        within(&measure)?;
        introspects |= measure.schema > 0;
        // a document that is executed has one operation; a subscription of several fields would be several streams
        if operation.node.ty == OperationType::Subscription && measure.top != 1 {
            return Err(Refusal::new(
                ErrorCode::QueryInvalid,
                "a subscription asks for exactly one field",
            ));
        }
    }
    Ok(introspects)
}

fn within(measure: &Measure) -> Result<(), Refusal> {
    let depth_max = if measure.top_real == 0 {
        MAX_INTROSPECTION_DEPTH
    } else {
        MAX_DEPTH
    };
    for (what, found, allowed) in [
        ("levels", measure.depth, depth_max),
        ("fields", measure.fields, MAX_COMPLEXITY),
        ("aliases", measure.aliases, MAX_ALIASES),
        ("root fields", measure.top, MAX_ROOT_FIELDS),
    ] {
        if found > allowed {
            return Err(too_complex(format!(
                "the query has {found} {what}; {allowed} are allowed"
            )));
        }
    }
    Ok(())
}

fn check_directives(count: usize) -> Result<(), Refusal> {
    if count > MAX_DIRECTIVES {
        return Err(too_complex(format!(
            "{count} directives stand on one selection; {MAX_DIRECTIVES} are allowed"
        )));
    }
    Ok(())
}

impl<'a> Meter<'a> {
    fn fragment(&mut self, name: &'a Name) -> Result<Measure, Refusal> {
        match self.fragments.get(name) {
            Some(Mark::Done(measure)) => return Ok(*measure),
            Some(Mark::Open) => {
                return Err(Refusal::new(
                    ErrorCode::QueryInvalid,
                    format!("fragment {name} spreads itself"),
                ));
            }
            None => {}
        }
        // an unknown fragment counts nothing here: validation names it
        let Some(fragment) = self.document.fragments.get(name) else {
            return Ok(Measure::default());
        };
        self.fragments.insert(name, Mark::Open);
        let measure = self.set(&fragment.node.selection_set.node)?;
        self.fragments.insert(name, Mark::Done(measure));
        Ok(measure)
    }

    fn set(&mut self, set: &'a SelectionSet) -> Result<Measure, Refusal> {
        let mut sum = Measure::default();
        for selection in &set.items {
            check_directives(selection.node.directives().len())?;
            let one = match &selection.node {
                Selection::Field(field) => {
                    let inner = self.set(&field.node.selection_set.node)?;
                    Measure {
                        fields: inner.fields.saturating_add(1),
                        aliases: inner
                            .aliases
                            .saturating_add(usize::from(field.node.alias.is_some())),
                        depth: inner.depth + 1,
                        top: 1,
                        top_real: usize::from(!field.node.name.node.starts_with("__")),
                        schema: inner.schema.saturating_add(usize::from(matches!(
                            field.node.name.node.as_str(),
                            "__schema" | "__type"
                        ))),
                    }
                }
                Selection::FragmentSpread(spread) => self.fragment(&spread.node.fragment_name.node)?,
                Selection::InlineFragment(inline) => self.set(&inline.node.selection_set.node)?,
            };
            sum = Measure {
                fields: sum.fields.saturating_add(one.fields),
                aliases: sum.aliases.saturating_add(one.aliases),
                depth: sum.depth.max(one.depth),
                top: sum.top.saturating_add(one.top),
                top_real: sum.top_real.saturating_add(one.top_real),
                schema: sum.schema.saturating_add(one.schema),
            };
        }
        Ok(sum)
    }
}

#[cfg(test)]
mod tests {
    use async_graphql::parser::parse_query;

    use super::*;

    fn code(query: &str) -> Option<ErrorCode> {
        check(&parse_query(query).expect("parses")).err().map(|r| r.code)
    }

    fn nested(levels: usize) -> String {
        format!("{}{}", "{ a ".repeat(levels), "}".repeat(levels))
    }

    #[test]
    fn limits_should_hold_at_their_edges() {
        assert_eq!(code(&nested(MAX_DEPTH)), None);
        assert_eq!(code(&nested(MAX_DEPTH + 1)), Some(ErrorCode::QueryTooComplex));
        let aliases = |n: usize| {
            let fields: String = (0..n).map(|i| format!("x{i}: a ")).collect();
            format!("{{ r {{ {fields} }} }}")
        };
        assert_eq!(code(&aliases(MAX_ALIASES)), None);
        assert_eq!(code(&aliases(MAX_ALIASES + 1)), Some(ErrorCode::QueryTooComplex));
        assert_eq!(code(&format!("{{ {} }}", "a ".repeat(MAX_ROOT_FIELDS))), None);
        assert_eq!(
            code(&format!("{{ {} }}", "a ".repeat(MAX_ROOT_FIELDS + 1))),
            Some(ErrorCode::QueryTooComplex)
        );
        assert_eq!(
            code(&format!(
                "{{ a {} }}",
                "@skip(if: true) ".repeat(MAX_DIRECTIVES + 1)
            )),
            Some(ErrorCode::QueryTooComplex)
        );
    }

    #[test]
    fn fragment_bomb_should_cost_nothing() {
        let mut query = String::from("{ ...f0 }");
        for i in 0..80 {
            query.push_str(&format!(" fragment f{i} on Q {{ ...f{0} ...f{0} }}", i + 1));
        }
        query.push_str(" fragment f80 on Q { a }");
        let started = std::time::Instant::now();
        assert_eq!(code(&query), Some(ErrorCode::QueryTooComplex));
        assert!(started.elapsed().as_millis() < 500);
    }

    #[test]
    fn cycles_and_many_definitions_should_be_refused() {
        assert_eq!(
            code("{ ...a } fragment a on Q { ...b } fragment b on Q { ...a }"),
            Some(ErrorCode::QueryInvalid)
        );
        let many: String = (0..MAX_DEFINITIONS)
            .map(|i| format!("query q{i} {{ a }} "))
            .collect();
        assert_eq!(code(&many), None);
        assert_eq!(
            code(&format!("{many} fragment f on Q {{ a }}")),
            Some(ErrorCode::QueryTooComplex)
        );
    }

    #[test]
    fn subscription_should_ask_for_one_field() {
        assert_eq!(code("subscription { a }"), None);
        assert_eq!(code("subscription { a b }"), Some(ErrorCode::QueryInvalid));
        assert_eq!(
            code("subscription { ...f } fragment f on S { a b }"),
            Some(ErrorCode::QueryInvalid)
        );
    }

    #[test]
    fn introspection_should_reach_deeper() {
        let chain = format!("{{ __schema {}{} }}", "{ ofType ".repeat(13), "}".repeat(13));
        assert_eq!(code(&chain), None);
        assert_eq!(check(&parse_query(&chain).expect("parses")), Ok(true));
        assert_eq!(check(&parse_query("{ __typename }").expect("parses")), Ok(false));
        assert_eq!(
            code(&format!("{{ v {}", &chain[1..])),
            Some(ErrorCode::QueryTooComplex)
        );
    }
}
