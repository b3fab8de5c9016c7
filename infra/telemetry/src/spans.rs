//! Spans: which they are, and how they leave the process.
//!
//! Code that makes spans knows nothing of OpenTelemetry: it makes `tracing` spans of the target [`SPANS`], and names in
//! the field [`LINKS`] the requests that caused what it does, as W3C `traceparent`s. Where a queue lies between cause and
//! effect the effect is linked, never a child: a batch has many causes, and a view folded tomorrow is not part of a
//! request that ended yesterday. Only sampled requests are named, so that the choice made at the door holds everywhere.

/// The target of spans that are exported. Logs never show it.
pub const SPANS: &str = "vaultstream_spans";

/// The field that holds `traceparent`s of sampled requests, with commas between them.
pub const LINKS: &str = "trace.links";

/// How spans leave the process.
#[derive(Debug, Clone, PartialEq)]
pub struct SpanOptions {
    /// The collector's OTLP endpoint over HTTP with protobuf, such as `http://collector:4318`; none makes no spans.
    pub endpoint: Option<String>,
    /// The role of this process.
    pub role: String,
    /// The version that runs.
    pub version: String,
    /// What tells this process from others of its role: a host or pod name.
    pub instance: String,
    /// The part of requests that is sampled, from 0 to 1.
    pub ratio: f64,
    /// Whether the caller's own choice to sample is followed. Only behind a proxy that sets `traceparent` itself:
    /// otherwise anyone can have everything sampled.
    pub follows_caller: bool,
    /// Ended spans that wait to be sent; more are dropped.
    pub queue: usize,
    /// Spans of one message to the collector.
    pub batch: usize,
    /// Pause between messages, in milliseconds.
    pub delay_ms: u64,
    /// How long the collector may take for one message, in milliseconds.
    pub timeout_ms: u64,
}

impl Default for SpanOptions {
    fn default() -> Self {
        Self {
            endpoint: None,
            role: "all".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            instance: String::new(),
            ratio: 0.05,
            follows_caller: false,
            queue: 4_096,
            batch: 512,
            delay_ms: 2_000,
            timeout_ms: 5_000,
        }
    }
}

impl SpanOptions {
    /// What is wrong with the options, with the field and the remedy.
    pub(crate) fn fault(&self) -> Option<String> {
        let endpoint = self.endpoint.as_deref()?;
        if !endpoint.starts_with("http://") {
            return Some(format!(
                "telemetry.otlp_endpoint is `{}`; give the http:// address of a collector beside this process and let \
                 the collector speak TLS to the world",
                crate::redacted(endpoint)
            ));
        }
        if !(0.0..=1.0).contains(&self.ratio) {
            return Some(format!(
                "telemetry.sample_ratio is {}; it goes from 0 to 1",
                self.ratio
            ));
        }
        let (queue, batch) = (self.queue, self.batch);
        if batch == 0 || queue < batch || self.delay_ms == 0 || self.timeout_ms == 0 {
            return Some(format!(
                "telemetry: the queue ({queue}) holds at least one batch ({batch}), and batch, delay and timeout are not 0"
            ));
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(endpoint: &str) -> SpanOptions {
        SpanOptions {
            endpoint: Some(endpoint.to_owned()),
            ..SpanOptions::default()
        }
    }

    #[test]
    fn names_should_be_those_of_the_kernel() {
        assert_eq!(SPANS, vaultstream_kernel::trace::TARGET);
        assert_eq!(LINKS, vaultstream_kernel::trace::LINKS);
    }

    #[test]
    fn options_should_be_checked_only_where_spans_leave() {
        assert_eq!(SpanOptions::default().fault(), None);
        assert_eq!(at("http://collector:4318").fault(), None);
        let off = SpanOptions {
            ratio: 7.0,
            ..SpanOptions::default()
        };
        assert_eq!(off.fault(), None);
    }

    #[test]
    fn bad_options_should_be_named_with_a_remedy() {
        let with = |ratio: f64, queue: usize, batch: usize| SpanOptions {
            ratio,
            queue,
            batch,
            ..at("http://collector:4318")
        };
        for (options, word) in [
            (at("https://user:pass@collector"), "otlp_endpoint"),
            (at("collector:4317"), "otlp_endpoint"),
            (with(1.5, 10, 1), "sample_ratio"),
            (with(f64::NAN, 10, 1), "sample_ratio"),
            (with(0.5, 10, 11), "queue"),
            (with(0.5, 0, 0), "queue"),
        ] {
            let fault = options.fault().expect("refused");
            assert!(fault.contains(word) && !fault.contains("pass@"), "{fault}");
        }
    }
}
