//! Spans of work that many requests caused: they name their causes, and whoever exports spans makes links of the names.
//!
//! A queue lies between a request and what follows from it, so what follows is linked, never a child. Only sampled
//! requests are named; work that none of them caused makes no span and costs a look at the flags.

use tracing::Span;

/// The target of spans that are exported.
pub const TARGET: &str = "vaultstream_spans";
/// The field that holds the causes.
pub const LINKS: &str = "trace.links";
/// Causes named by one span at most.
pub const LINKS_MAX: usize = 32;

/// A span named after the work, linked to the sampled requests among `traces` (W3C `traceparent`s); none when nobody
/// exports spans or no request was sampled.
pub fn linked<'a>(work: &'static str, traces: impl Iterator<Item = Option<&'a str>>) -> Span {
    if !tracing::span_enabled!(target: TARGET, tracing::Level::INFO) {
        return Span::none();
    }
    let Some(links) = sampled(traces) else {
        return Span::none();
    };
    // The name of the field is [`LINKS`]; a span's fields are written out.
    tracing::info_span!(target: TARGET, "work", otel.name = work, otel.kind = "consumer", trace.links = links)
}

/// The sampled and distinct ones, with commas between them.
fn sampled<'a>(traces: impl Iterator<Item = Option<&'a str>>) -> Option<String> {
    let mut named: Vec<&str> = Vec::new();
    // Events of one request stand beside each other, so most repetitions are found at the end.
    for trace in traces.flatten().filter(|trace| is_sampled(trace)) {
        if named.len() == LINKS_MAX {
            break;
        }
        if !named.iter().rev().any(|known| *known == trace) {
            named.push(trace);
        }
    }
    (!named.is_empty()).then(|| named.join(","))
}

fn is_sampled(traceparent: &str) -> bool {
    traceparent.len() == 55
        && traceparent
            .as_bytes()
            .last()
            .is_some_and(|flag| b"13579bdf".contains(flag))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parent(n: usize, flags: &str) -> String {
        format!("00-{:032x}-{n:016x}-{flags}", n + 1)
    }

    #[test]
    fn only_sampled_requests_should_be_named_and_once() {
        let (a, b, c) = (parent(1, "01"), parent(2, "00"), parent(3, "01"));
        let traces = [
            Some(&*a),
            None,
            Some(&*b),
            Some(&*a),
            Some("nonsense-01"),
            Some(&*c),
            Some(&*a),
        ];
        assert_eq!(sampled(traces.into_iter()), Some(format!("{a},{c}")));
        assert_eq!(sampled([Some(&*b), None].into_iter()), None);
    }

    #[test]
    fn causes_should_be_bounded() {
        let traces: Vec<String> = (0..LINKS_MAX * 2).map(|n| parent(n, "01")).collect();
        let links = sampled(traces.iter().map(|t| Some(t.as_str()))).expect("sampled");
        assert_eq!(links.split(',').count(), LINKS_MAX);
    }

    #[test]
    fn nobody_who_listens_should_cost_no_span() {
        let trace = parent(1, "01");
        assert!(linked("work", [Some(&*trace)].into_iter()).is_disabled());
    }
}
