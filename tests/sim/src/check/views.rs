//! Views: at the end, byte for byte the fold of the log from zero.

use std::sync::Arc;

use futures::FutureExt;
use vaultstream_domain::ports::view_store::ViewRef;
use vaultstream_domain::ports::{EventLog, ViewStore};
use vaultstream_event_schemas::Family;
use vaultstream_event_schemas::token::Place;
use vaultstream_projectors::dump::dump;
use vaultstream_projectors::lane::{Decoded, Lane, LaneParts};
use vaultstream_projectors::views::{tables_of, view};
use vaultstream_projectors::{ViewName, Watermarks};

use crate::views::SimViews;
use crate::world::World;

/// Every view in every family.
fn all(world: &World) -> Vec<(ViewName, Family)> {
    let registry = world.log.registry();
    let of = |name: ViewName| {
        let families = name.families(&registry);
        families.into_iter().map(move |family| (name, family))
    };
    ViewName::ALL.into_iter().flat_map(of).collect()
}

/// Whether every view has folded the whole log.
pub(super) fn is_caught_up(world: &World) -> bool {
    let registry = world.log.registry();
    all(world).into_iter().all(|(name, family)| {
        let at = name.at(family.clone(), 1);
        let marks = world.views.watermarks(&at).now_or_never();
        let marks = marks.and_then(Result::ok).unwrap_or_default();
        registry.shards_of(&family).all(|shard| {
            let place = world.log.head(shard).map(|head| Place {
                incarnation: head.incarnation,
                position: head.position,
            });
            place.is_none_or(|place| place.position == 0) || marks.get(&shard).copied() == place
        })
    })
}

pub(super) fn check(world: &World, found: &mut Vec<String>) {
    for (name, family) in all(world) {
        let at = name.at(family.clone(), 1);
        let kept = lines(&world.views, name, &at);
        let folded = fold(world, name, &family, &at);
        match (kept, folded) {
            (Some(kept), Some(folded)) if kept == folded => {}
            (Some(kept), Some(folded)) => found.push(difference(name, &family, &kept, &folded)),
            _ => found.push(format!("{name} of {family} cannot be dumped")),
        }
    }
}

fn difference(name: ViewName, family: &Family, kept: &[String], folded: &[String]) -> String {
    let only = |these: &[String], those: &[String]| {
        let line = these.iter().find(|line| !those.contains(line)).cloned();
        line.unwrap_or_default().chars().take(400).collect::<String>()
    };
    format!(
        "{name} of {family} is not the fold of the log: it has {} rows and the fold {}; kept `{}`, folded `{}`",
        kept.len(),
        folded.len(),
        only(kept, folded),
        only(folded, kept)
    )
}

/// A line as it is compared. Two shards meet in the activity of a vault: of two events with one clock either may be the last,
/// and only its position tells which it was.
fn comparable(line: &str) -> String {
    match line.split_once(",\"pos\":") {
        Some((before, _)) if line.contains("\"table\":\"activity\"") => before.to_owned(),
        _ => line.to_owned(),
    }
}

fn lines(store: &SimViews, name: ViewName, at: &ViewRef) -> Option<Vec<String>> {
    let mut lines = Vec::new();
    let mut sink = |line: &[u8]| lines.push(comparable(&String::from_utf8_lossy(line)));
    dump(store, view(name).as_ref(), at, &mut sink)
        .now_or_never()?
        .ok()?;
    Some(lines)
}

/// The view as the production fold makes it of the whole log, at once, into an empty store.
fn fold(world: &World, name: ViewName, family: &Family, at: &ViewRef) -> Option<Vec<String>> {
    let store = SimViews::default();
    store
        .create(at, &tables_of(view(name).as_ref()))
        .now_or_never()?
        .ok()?;
    for shard in world.log.registry().shards_of(family) {
        let parts = LaneParts {
            store: Arc::new(store.clone()),
            log: Arc::new(world.log.clone()),
            watermarks: Arc::new(Watermarks::default()),
            view: view(name),
            at: at.clone(),
            shard,
            cache_rows: 100_000,
        };
        let mut lane = Lane::open(parts, world.log.life()).now_or_never()?.ok()?;
        let events = world.log.events(shard).into_iter();
        let batch: Vec<Decoded> = events
            .map(|stored| {
                let wanted = lane.wants(&stored);
                Decoded::new(stored, wanted)
            })
            .collect();
        lane.apply(&batch).now_or_never()?.ok()?;
        lane.flush().now_or_never()?.ok()?;
    }
    lines(&store, name, at)
}
