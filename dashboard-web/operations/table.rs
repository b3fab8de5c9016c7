//! The projections as rows.

use crate::words as w;
use leptos::prelude::*;
use vaultstream_client::{Rebuild, RebuildStatus, RetryOutcome, View};

/// One projection of one family, as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Cells in the order of the heads.
    pub cells: [String; 7],
    /// In a word or two, with the class of its colour, and a sentence more.
    pub state: (&'static str, &'static str, String),
    /// Whether anything is parked.
    pub has_parked: bool,
}

/// Says in words how a projection stands: what needs somebody comes first.
pub fn line(view: &View) -> Line {
    let lag = match view.lag_ms {
        0 => "0".to_owned(),
        ms @ 1..1_000 => format!("{ms} ms"),
        ms => format!("{}.{} s", ms / 1_000, ms % 1_000 / 100),
    };
    Line {
        cells: [
            view.view.clone(),
            view.family.clone(),
            format!("{}\u{a0}/\u{a0}{}", view.position, view.head),
            lag,
            view.per_second.map_or_else(|| "–".to_owned(), |n| n.to_string()),
            view.generation.to_string(),
            view.quarantined.to_string(),
        ],
        state: state(view),
        has_parked: view.quarantined > 0,
    }
}

fn state(view: &View) -> (&'static str, &'static str, String) {
    if let Some(reason) = &view.retry {
        return ("Trying again", "move", reason.clone());
    }
    if let Some(Rebuild { status, reason, .. }) = &view.rebuild {
        let (word, tone) = match status {
            RebuildStatus::Requested => ("Rebuild asked for", "wait"),
            RebuildStatus::Building => ("Rebuilding", "move"),
            RebuildStatus::Failed => ("Rebuild given up", "bad"),
        };
        return (word, tone, reason.clone());
    }
    let tried = view.last_retry.as_ref().map(|retry| {
        let RetryOutcome { healed, parked } = retry;
        format!("The last try: {healed} folded again, {parked} parked still")
    });
    let tried = tried.unwrap_or_default();
    match view.quarantined {
        0 if view.position < view.head => ("Catching up", "move", tried),
        0 => ("Up to date", "good", tried),
        _ => ("Parked", "bad", tried),
    }
}

/// The heads of the cells.
pub const HEADS: [(&str, &str); 8] = [
    (w::PROJECTION, "lead"),
    (w::FAMILY, ""),
    (w::FOLDED, "number"),
    (w::LAG, "number"),
    (w::RATE, "number soft"),
    (w::GENERATION, "number soft"),
    (w::PARKED, "number"),
    (w::STATE, ""),
];

/// A table's head.
pub fn head(heads: &'static [(&'static str, &'static str)]) -> AnyView {
    let cells: Vec<_> = heads
        .iter()
        .map(|(name, class)| view! { <th role="columnheader" scope="col" class=*class>{*name}</th> })
        .collect();
    view! {
        <thead role="rowgroup"><tr role="row">{cells}</tr></thead>
    }
    .into_any()
}

/// A row's cells.
pub fn cells(texts: Vec<String>, heads: &'static [(&'static str, &'static str)]) -> Vec<AnyView> {
    let cell = |(text, (name, class)): (String, &(&'static str, &'static str))| {
        view! { <td role="cell" class=*class data-label=*name>{text}</td> }.into_any()
    };
    texts.into_iter().zip(heads).map(cell).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view() -> View {
        View {
            view: "transfers".into(),
            family: "eth_sandbox".into(),
            generation: 2,
            position: 10,
            head: 10,
            lag_ms: 0,
            per_second: None,
            quarantined: 0,
            retry: None,
            last_retry: None,
            rebuild: None,
        }
    }

    #[test]
    fn quiet_projection_should_be_up_to_date() {
        let line = line(&view());
        let cells = [
            "transfers",
            "eth_sandbox",
            "10\u{a0}/\u{a0}10",
            "0",
            "–",
            "2",
            "0",
        ];
        assert_eq!(line.cells, cells.map(String::from));
        assert_eq!(line.state, ("Up to date", "good", String::new()));
    }

    #[test]
    fn projection_that_is_behind_should_say_by_how_much() {
        let behind = View {
            head: 12,
            lag_ms: 1_250,
            per_second: Some(7),
            ..view()
        };
        let line = line(&behind);
        assert_eq!((line.cells[3].as_str(), line.cells[4].as_str()), ("1.2 s", "7"));
        assert_eq!(line.state.0, "Catching up");
    }

    #[test]
    fn parked_streams_should_be_seen_before_anything_quiet() {
        let parked = View {
            quarantined: 3,
            head: 11,
            ..view()
        };
        assert!(line(&parked).has_parked);
        assert_eq!(line(&parked).state, ("Parked", "bad", String::new()));
        let tried = View {
            last_retry: Some(RetryOutcome { healed: 2, parked: 3 }),
            ..parked
        };
        assert_eq!(
            line(&tried).state.2,
            "The last try: 2 folded again, 3 parked still"
        );
    }

    #[test]
    fn what_is_under_way_should_say_why() {
        let asked = View {
            retry: Some("row mended".into()),
            quarantined: 1,
            ..view()
        };
        assert_eq!(line(&asked).state, ("Trying again", "move", "row mended".into()));
        let rebuild = |status| View {
            rebuild: Some(Rebuild {
                status,
                generation: None,
                reason: "damaged".into(),
            }),
            ..view()
        };
        let failed = line(&rebuild(RebuildStatus::Failed));
        assert_eq!(failed.state, ("Rebuild given up", "bad", "damaged".into()));
        assert_eq!(line(&rebuild(RebuildStatus::Building)).state.1, "move");
    }
}
