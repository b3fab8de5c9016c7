//! What every client of the brokers has: ears for librdkafka's words, and a translation of them into ours.

use std::sync::{Arc, Mutex, PoisonError};

use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::{KafkaError as Native, RDKafkaErrorCode};
use rdkafka::{ClientConfig, ClientContext};

use crate::error::{Heard, KafkaError};
use crate::options::KafkaOptions;

#[derive(Debug, Default)]
struct Memory {
    /// The last error that says what is wrong, and not only that nobody answers.
    cause: Option<(RDKafkaErrorCode, String)>,
    /// The last error of any kind.
    last: Option<String>,
    /// Whether all brokers were lost and none has been heard since.
    alone: bool,
}

/// Hears what librdkafka says on its own account.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ears(Arc<Mutex<Memory>>);

impl Ears {
    fn memory(&self) -> std::sync::MutexGuard<'_, Memory> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The last thing heard.
    pub(crate) fn heard(&self) -> Option<Heard> {
        let memory = self.memory();
        let cause = memory.cause.as_ref().map(|(_, text)| text);
        cause.or(memory.last.as_ref()).cloned().map(Heard)
    }

    /// Whether it was heard what is wrong, and not only that nobody answers.
    pub(crate) fn has_cause(&self) -> bool {
        self.memory().cause.is_some()
    }

    /// Whether no broker is connected, as far as is known.
    pub(crate) fn alone(&self) -> bool {
        self.memory().alone
    }

    /// A broker answered.
    pub(crate) fn answered(&self) {
        *self.memory() = Memory::default();
    }

    /// Why nobody answers.
    pub(crate) fn unanswered(&self, options: &KafkaOptions) -> KafkaError {
        let bootstrap = options.servers();
        let cause = self.memory().cause.clone();
        match cause {
            Some((RDKafkaErrorCode::Authentication | RDKafkaErrorCode::SaslAuthenticationFailed, text)) => {
                KafkaError::Credentials {
                    bootstrap,
                    user: options.user().unwrap_or("(none)").to_owned(),
                    heard: Heard(text),
                }
            }
            Some((RDKafkaErrorCode::SSL, text)) => KafkaError::Tls {
                bootstrap,
                heard: Heard(text),
            },
            _ => KafkaError::Unreachable {
                bootstrap,
                heard: self.heard(),
            },
        }
    }
}

impl ClientContext for Ears {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        match level {
            RDKafkaLogLevel::Emerg
            | RDKafkaLogLevel::Alert
            | RDKafkaLogLevel::Critical
            | RDKafkaLogLevel::Error
            | RDKafkaLogLevel::Warning => tracing::warn!(target: "kafka", facility, "{message}"),
            RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info | RDKafkaLogLevel::Debug => {
                tracing::debug!(target: "kafka", facility, "{message}");
            }
        }
    }

    fn error(&self, error: Native, reason: &str) {
        tracing::warn!(target: "kafka", %error, "{reason}");
        let mut memory = self.memory();
        memory.last = Some(reason.to_owned());
        match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::AllBrokersDown) => memory.alone = true,
            Some(
                code @ (RDKafkaErrorCode::Authentication
                | RDKafkaErrorCode::SaslAuthenticationFailed
                | RDKafkaErrorCode::SSL),
            ) => memory.cause = Some((code, reason.to_owned())),
            _ => {}
        }
    }
}

impl ConsumerContext for Ears {}

/// Makes a client; settings that librdkafka refuses are said without their values.
pub(crate) fn create<C, T>(config: &ClientConfig, context: C) -> Result<T, KafkaError>
where
    C: ClientContext,
    T: rdkafka::config::FromClientConfigAndContext<C>,
{
    config.create_with_context(context).map_err(|error| match error {
        Native::ClientConfig(_, problem, key, _) => KafkaError::Refused(format!("{key}: {problem}")),
        other => KafkaError::Refused(other.to_string()),
    })
}

/// Runs what blocks on a thread that may.
pub(crate) async fn blocking<T, F>(doing: &'static str, work: F) -> Result<T, KafkaError>
where
    T: Send + 'static,
    F: FnOnce() -> Result<T, KafkaError> + Send + 'static,
{
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| KafkaError::Other {
            doing,
            source: Box::new(error),
        })?
}
