//! The last look at spans before they leave: what looks like a credential is replaced, long texts are cut, and the
//! requests a span names become its links.

use std::borrow::Cow;
use std::fmt;

use opentelemetry::trace::{Link, Status};
use opentelemetry::{Array, KeyValue, StringValue, Value};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SpanData, SpanExporter};

use super::parse;
use crate::metrics::Metrics;
use crate::redact::{MARK, is_secret_name, redacted};
use crate::spans::LINKS;

/// Characters of one text in a span.
const TEXT_MAX: usize = 512;
/// Links of one span; a batch has so many causes at most, the others are counted as dropped.
const LINKS_MAX: usize = 32;

/// An exporter that finishes spans first and counts them after.
pub(super) struct Finishing<E> {
    inner: E,
    metrics: Metrics,
}

impl<E> Finishing<E> {
    pub(super) const fn new(inner: E, metrics: Metrics) -> Self {
        Self { inner, metrics }
    }
}

impl<E: fmt::Debug> fmt::Debug for Finishing<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Finishing").field(&self.inner).finish()
    }
}

impl<E: SpanExporter> SpanExporter for Finishing<E> {
    async fn export(&self, mut batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = batch.len();
        batch.iter_mut().for_each(finish);
        let sent = self.inner.export(batch).await;
        self.metrics.process.spans(spans, sent.is_ok());
        sent
    }

    fn shutdown_with_timeout(&self, timeout: std::time::Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.inner.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.inner.set_resource(resource);
    }
}

fn finish(span: &mut SpanData) {
    link(span);
    span.name = Cow::Owned(shown(&span.name));
    clean(&mut span.attributes);
    for event in &mut span.events.events {
        event.name = Cow::Owned(shown(&event.name));
        clean(&mut event.attributes);
    }
    for link in &mut span.links.links {
        clean(&mut link.attributes);
    }
    if let Status::Error { description } = &mut span.status {
        *description = Cow::Owned(shown(description));
    }
}

/// Takes the field with the causes out of the attributes and makes links of it.
fn link(span: &mut SpanData) {
    let Some(at) = span.attributes.iter().position(|a| a.key.as_str() == LINKS) else {
        return;
    };
    let causes = span.attributes.swap_remove(at).value.to_string();
    for context in causes.split(',').filter_map(parse) {
        if span.links.links.len() < LINKS_MAX {
            span.links.links.push(Link::with_context(context));
        } else {
            span.links.dropped_count += 1;
        }
    }
}

fn clean(attributes: &mut [KeyValue]) {
    for attribute in attributes {
        let last = attribute.key.as_str().rsplit('.').next().unwrap_or_default();
        if is_secret_name(last) {
            attribute.value = Value::from(MARK);
            continue;
        }
        match &mut attribute.value {
            Value::String(text) => *text = StringValue::from(shown(text.as_str())),
            Value::Array(Array::String(texts)) => {
                for text in texts {
                    *text = StringValue::from(shown(text.as_str()));
                }
            }
            _ => {}
        }
    }
}

fn shown(text: &str) -> String {
    redacted(text).chars().take(TEXT_MAX).collect()
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use opentelemetry::InstrumentationScope;
    use opentelemetry::trace::{Event, SpanContext, SpanId, SpanKind};
    use opentelemetry_sdk::trace::{SpanEvents, SpanLinks};

    use super::*;

    const SECRET: &str = "c2VjcmV0c2VjcmV0";

    fn span(attributes: Vec<KeyValue>) -> SpanData {
        SpanData {
            span_context: SpanContext::NONE,
            parent_span_id: SpanId::INVALID,
            parent_span_is_remote: false,
            span_kind: SpanKind::Internal,
            name: "work".into(),
            start_time: UNIX_EPOCH,
            end_time: UNIX_EPOCH,
            attributes,
            dropped_attributes_count: 0,
            events: SpanEvents::default(),
            links: SpanLinks::default(),
            status: Status::Unset,
            instrumentation_scope: InstrumentationScope::default(),
        }
    }

    #[test]
    fn credentials_should_not_leave_in_any_text_of_a_span() {
        let key = format!("key_0123456789abcdefghjkmnpqrs_{SECRET}");
        let texts: Vec<StringValue> = vec![format!("password={SECRET}").into()];
        let mut span = span(vec![
            KeyValue::new("http.request.header.authorization", SECRET),
            KeyValue::new("token", SECRET),
            KeyValue::new("url.full", format!("http://user:{SECRET}@node/")),
            KeyValue::new("said", format!("Bearer {key}")),
            KeyValue::new("list", Value::Array(Array::String(texts))),
            KeyValue::new("shard", 3_i64),
        ]);
        span.name = format!("GET /x?code={SECRET}").into();
        span.status = Status::error(format!("refused {key}"));
        let attributes = vec![KeyValue::new("secret", SECRET)];
        span.events
            .events
            .push(Event::new(key, UNIX_EPOCH, attributes, 0));
        finish(&mut span);
        let all = format!("{span:?}");
        assert!(!all.contains(SECRET), "{all}");
        assert!(all.contains("I64(3)"), "what is no secret stays: {all}");
    }

    #[test]
    fn causes_should_become_links_and_no_attribute() {
        let parent = |n: usize| format!("00-{:032x}-{n:016x}-01", n + 1);
        let causes: Vec<String> = (1..=LINKS_MAX + 2).map(parent).collect();
        let mut span = span(vec![KeyValue::new(
            LINKS,
            format!("nonsense,{}", causes.join(",")),
        )]);
        finish(&mut span);
        assert!(span.attributes.is_empty());
        assert_eq!((span.links.len(), span.links.dropped_count), (LINKS_MAX, 2));
        let first = &span.links[0].span_context;
        assert_eq!(first.trace_id().to_string(), format!("{:032x}", 2));
        assert_eq!(first.span_id().to_string(), format!("{:016x}", 1));
    }

    #[test]
    fn long_text_should_be_cut() {
        let mut span = span(vec![KeyValue::new("said", "x".repeat(TEXT_MAX * 3))]);
        finish(&mut span);
        assert_eq!(span.attributes[0].value.to_string().len(), TEXT_MAX);
    }
}
