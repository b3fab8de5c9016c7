//! How far the views are behind the log, as the schema says it.

use async_graphql::SimpleObject;

use super::scalar::{Long, Timestamp, int};
use crate::freshness::{Lag, ViewLag};
use crate::services::Services;

/// How far the views are behind the log.
#[derive(SimpleObject, Debug, Clone)]
pub struct Freshness {
    /// When this was measured.
    pub at: Timestamp,
    /// The largest lag of all views, in milliseconds; 0 when every view has folded all there is.
    pub lag_ms: Long,
    /// The most events a view has still to fold.
    pub behind: Long,
    /// Streams that a view could not fold and keeps aside.
    pub quarantined: Long,
    /// A consistency token of what the views have folded; `atLeast` takes it.
    pub token: String,
    /// The views by family.
    pub families: Vec<FamilyFreshness>,
}

/// How far the views of one family are.
#[derive(SimpleObject, Debug, Clone)]
pub struct FamilyFreshness {
    /// `core` or a chain's slug.
    pub family: String,
    /// The largest lag of its views, in milliseconds.
    pub lag_ms: Long,
    /// The most events a view of it has still to fold.
    pub behind: Long,
    /// Its views.
    pub views: Vec<ViewFreshness>,
}

/// How far one view of a family is.
#[derive(SimpleObject, Debug, Clone)]
pub struct ViewFreshness {
    /// The view's name.
    pub view: String,
    /// The generation that is read.
    pub generation: i32,
    /// Events folded, over the family's shards.
    pub position: Long,
    /// Events in the log, over the family's shards.
    pub head: Long,
    /// How long its oldest event that is not folded has waited, in milliseconds; 0 when there is none.
    pub lag_ms: Long,
}

impl Freshness {
    /// A measurement in the schema's words.
    pub fn new(services: &Services, lag: &Lag) -> Self {
        let family = |family: &String| {
            let views = || lag.views.iter().filter(|v| &v.family == family);
            FamilyFreshness {
                family: family.clone(),
                lag_ms: Long(views().map(|v| v.lag_ms).max().unwrap_or(0)),
                behind: Long(views().map(ViewLag::behind).max().unwrap_or(0)),
                views: views().map(view).collect(),
            }
        };
        let mut families: Vec<String> = lag.views.iter().map(|v| v.family.clone()).collect();
        families.sort();
        families.dedup();
        Self {
            at: Timestamp(lag.at),
            lag_ms: Long(lag.lag_ms()),
            behind: Long(lag.behind()),
            quarantined: Long(lag.views.iter().map(|v| v.quarantined).sum()),
            token: services.mac.seal_token(&lag.folded),
            families: families.iter().map(family).collect(),
        }
    }
}

fn view(lag: &ViewLag) -> ViewFreshness {
    ViewFreshness {
        view: lag.view.to_owned(),
        generation: int(lag.generation),
        position: Long(lag.position),
        head: Long(lag.head),
        lag_ms: Long(lag.lag_ms),
    }
}
