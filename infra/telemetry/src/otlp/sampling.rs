//! Which spans are recorded: what a request's trace id says at the door, and everywhere behind it what the door said.

use opentelemetry::trace::{Link, SpanKind, TraceContextExt, TraceId, TraceState};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::trace::{Sampler, SamplingDecision, SamplingResult, ShouldSample};

use crate::spans::LINKS;

/// The rule.
#[derive(Debug, Clone)]
pub(super) struct Sampling {
    ratio: Sampler,
    follows_caller: bool,
}

impl Sampling {
    pub(super) const fn new(ratio: f64, follows_caller: bool) -> Self {
        Self {
            ratio: Sampler::TraceIdRatioBased(ratio),
            follows_caller,
        }
    }
}

impl ShouldSample for Sampling {
    fn should_sample(
        &self,
        parent: Option<&Context>,
        trace_id: TraceId,
        name: &str,
        kind: &SpanKind,
        attributes: &[KeyValue],
        links: &[Link],
    ) -> SamplingResult {
        let said = |is_sampled: bool| SamplingResult {
            decision: if is_sampled {
                SamplingDecision::RecordAndSample
            } else {
                SamplingDecision::Drop
            },
            attributes: Vec::new(),
            trace_state: TraceState::default(),
        };
        // Only sampled requests are named as causes.
        if attributes.iter().any(|attribute| attribute.key.as_str() == LINKS) {
            return said(true);
        }
        let parent_span = parent.map(|context| context.span().span_context().clone());
        match parent_span.filter(|span| span.is_valid()) {
            Some(span) if self.follows_caller || !span.is_remote() => said(span.is_sampled()),
            _ => self
                .ratio
                .should_sample(None, trace_id, name, kind, attributes, links),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::otlp::parse;

    const SAMPLED: &str = "00-ffffffffffffffffffffffffffffffff-00f067aa0ba902b7-01";
    const UNSAMPLED: &str = "00-00000000000000000000000000000001-00f067aa0ba902b7-00";

    fn asked(rule: &Sampling, parent: Option<&str>, attributes: &[KeyValue]) -> bool {
        let remote = parent.and_then(parse);
        let trace_id = remote.as_ref().map_or(
            TraceId::from(u128::MAX),
            opentelemetry::trace::SpanContext::trace_id,
        );
        let context = remote.map(|span| Context::new().with_remote_span_context(span));
        let kind = SpanKind::Server;
        let result = rule.should_sample(context.as_ref(), trace_id, "x", &kind, attributes, &[]);
        result.decision == SamplingDecision::RecordAndSample
    }

    #[test]
    fn stranger_should_not_choose_what_is_sampled() {
        let rule = Sampling::new(0.5, false);
        assert!(
            !asked(&rule, Some(SAMPLED), &[]),
            "its trace id is above the ratio"
        );
        assert!(
            asked(&rule, Some(UNSAMPLED), &[]),
            "its trace id is below the ratio"
        );
    }

    #[test]
    fn trusted_caller_should_choose() {
        let rule = Sampling::new(0.5, true);
        assert!(asked(&rule, Some(SAMPLED), &[]));
        assert!(!asked(&rule, Some(UNSAMPLED), &[]));
        assert!(!asked(&rule, None, &[]), "without a caller the ratio decides");
    }

    #[test]
    fn effect_of_a_sampled_request_should_be_sampled() {
        let rule = Sampling::new(0.0, false);
        assert!(!asked(&rule, None, &[]));
        assert!(asked(&rule, None, &[KeyValue::new(LINKS, SAMPLED)]));
    }
}
