//! What is described is what is written, and `docs/telemetry.md` lists it.

use std::collections::{BTreeMap, BTreeSet};

use super::*;

/// The committed page.
const PAGE: &str = include_str!("../../../../docs/telemetry.md");

fn touched() -> Metrics {
    let m = Metrics::new();
    m.command("transfer.request", Outcome::Committed, 1_500);
    m.append(3, 900, 2_000);
    m.writing.queue("executor", 4, 1_024);
    m.request("POST", "/v1/transfers", 202, 2_000);
    m.door.limit("rate-limited", 1);
    drop(m.door.running());
    m.door.socket(true);
    m.door.socket(false);
    m.view("transfers", "eth_sandbox", 3, 2_000_000, 0);
    m.views.shards([("transfers", 3, 7)]);
    m.views.folded(3, 10);
    m.views.flushed(12, 800);
    m.views.rebuilding("transfers", "eth_sandbox", true);
    m.views.rebuilt("transfers", "eth_sandbox", 1_000);
    m.views.generation("transfers", "eth_sandbox", 2);
    m.views.retried("transfers", "eth_sandbox", 3);
    m.hub.cache("responses", CacheOutcome::Hit);
    m.hub.readers(2, 1);
    m.hub.behind(3, 1);
    m.hub.handed_out(4_000);
    m.hub.lapped();
    m.bus.relay([(3, 5, 1_000_000)]);
    m.bus.published(3, 5, 900);
    m.bus.records(RecordOutcome::Duplicate, 2);
    m.sealing.sealed(7, 12, 30_000);
    m.sealing.waits(2, 1_000_000);
    m.sealing.refused("sealer", false);
    m.marking.marked(9, 4, 2_000);
    m.marking.unwritten(false);
    m.marking.quarantined(false);
    m.work.workflows([("advance_transfer", 3, 1)]);
    m.chain("eth_sandbox", 10, 8, 1_000_000);
    m.chains.node_failed("eth_sandbox", 1);
    m.process.build("relay", "0.1.0");
    m.process.ready(true);
    m.incident("append_conflict");
    m.process.lease("relay/3", true);
    m.process.clock_skew(-1_500_000);
    m.process.spans(3, true);
    m
}

/// The label names of a sample line.
fn labels_of(line: &str) -> BTreeSet<&str> {
    let inside = line
        .split_once('{')
        .and_then(|(_, rest)| rest.rsplit_once('}'))
        .map_or("", |(inside, _)| inside);
    inside
        .split("\",")
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, _)| name)
        .filter(|name| *name != "le")
        .collect()
}

#[test]
fn text_should_name_what_was_counted() {
    let text = touched().text();
    for line in [
        "vaultstream_commands_total{use_case=\"transfer.request\",outcome=\"Committed\"} 1",
        "vaultstream_http_requests_total{method=\"POST\",route=\"/v1/transfers\",status=\"202\"} 1",
        "vaultstream_view_lag_seconds{view=\"transfers\",family=\"eth_sandbox\"} 2.0",
        "vaultstream_bus_records_total{outcome=\"duplicate\"} 2",
        "vaultstream_clock_skew_seconds -1.5",
        "vaultstream_sockets 0",
    ] {
        assert!(text.contains(line), "{line} missing in\n{text}");
    }
    assert!(text.ends_with("# EOF\n"));
}

#[test]
fn every_metric_should_be_written_as_it_is_described() {
    let metrics = touched();
    let text = metrics.text();
    let mut written: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let name = line.split(['{', ' ']).next().unwrap_or_default();
        written.insert(name, labels_of(line));
    }
    let mut described = BTreeSet::new();
    for one in metrics.described() {
        for sample in one.samples() {
            let labels = written
                .get(sample.as_str())
                .unwrap_or_else(|| panic!("{sample} is described and not written"));
            assert_eq!(*labels, one.labels.iter().copied().collect(), "{sample}");
            assert!(described.insert(sample.clone()), "{sample} is described twice");
        }
    }
    for name in written.keys() {
        assert!(described.contains(*name), "{name} is written and not described");
    }
}

#[test]
fn page_should_list_every_metric() {
    let table = table(Metrics::new().described());
    assert!(
        PAGE.contains(&table),
        "docs/telemetry.md does not hold this table:\n{table}"
    );
    let rows = PAGE
        .lines()
        .filter(|line| line.starts_with("| `vaultstream_"))
        .count();
    assert_eq!(
        rows,
        Metrics::new().described().len(),
        "the page lists others too"
    );
}

#[test]
fn what_is_held_should_be_given_back() {
    let metrics = Metrics::new();
    let (first, second) = (metrics.door.running(), metrics.door.running());
    drop(first);
    assert!(metrics.text().contains("vaultstream_http_requests_running 1"));
    drop(second);
    assert!(metrics.text().contains("vaultstream_http_requests_running 0"));
}

#[test]
fn shards_that_are_not_held_any_more_should_not_be_told() {
    let metrics = Metrics::new();
    metrics.bus.relay([(3, 5, 1), (4, 0, 0)]);
    metrics.bus.relay([(4, 2, 1)]);
    let text = metrics.text();
    assert!(
        text.contains("vaultstream_relay_lag_events{shard=\"4\"} 2"),
        "{text}"
    );
    assert!(
        !text.contains("shard=\"3\""),
        "an autoscaler would count it twice: {text}"
    );
}
