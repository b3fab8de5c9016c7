//! What is revoked in one process is refused by every other within a second, also by one that hears nothing.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use http::{HeaderMap, HeaderName, HeaderValue, header};
use vaultstream_client::SESSION_COOKIE;
use vaultstream_domain::organization::{
    ApiKeyCommand, ChangeApiKey, ChangeSession, IssueApiKey, OpenSession, SessionCommand,
};
use vaultstream_domain::ports::{Clock, Ids};
use vaultstream_event_schemas::organization::v1::{KeyIssued, SessionOpened};
use vaultstream_event_schemas::{ApiKeyId, ErrorCode, SessionId, id};
use vaultstream_gateway::credential::Secret;
use vaultstream_gateway::door::Demand;
use vaultstream_gateway::operation::{Access, Effect};
use vaultstream_gateway::{Credentials, Directory, Door, DoorParts, Principal, RequestInfo};
use vaultstream_infra_runtime::{SystemClock, SystemIds, SystemRng};

use crate::rig::{Rig, Wire};

const SECOND: Duration = Duration::from_secs(1);

/// How B's bus fails.
#[derive(Debug, Clone, Copy)]
enum Fault {
    None,
    Cut,
    Mute,
}

/// A tenant's credentials, and the door of another process than the one that revokes them.
struct Two {
    rig: Rig,
    directory: Arc<Directory>,
    wire: Arc<Wire>,
    door: Arc<Door>,
    key: (ApiKeyId, HeaderMap),
    session: (SessionId, HeaderMap),
}

impl Two {
    async fn start() -> Self {
        let rig = Rig::start().await;
        let (directory, wire) = rig.elsewhere().await;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let (per_credential, per_address) = DoorParts::DEFAULT_QUOTAS;
        let door = Door::new(DoorParts {
            credentials: Credentials::new(directory.clone(), clock.clone()),
            clock,
            per_credential,
            per_address,
        });
        let fresh = || id::with_shard(SystemIds.next(), rig.organization.shard());
        let (key, secret) = (ApiKeyId::from_uuid(fresh()), Secret::generate(&SystemRng));
        let scopes = vec!["vaults:read".to_owned()];
        let issue = KeyIssued {
            expires_at: None,
            name: "test".into(),
            organization: rig.organization,
            scopes: scopes.clone(),
            secret_sha256: secret.sha256_hex(),
        };
        rig.run(IssueApiKey { key, issue }).await;
        let (session, cookie) = (SessionId::from_uuid(fresh()), Secret::generate(&SystemRng));
        let open = SessionOpened {
            expires_at: SystemClock.now().plus_seconds(3_600),
            key,
            scopes,
            secret_sha256: cookie.sha256_hex(),
        };
        rig.run(OpenSession { session, open }).await;
        let bearer = format!("Bearer {}", secret.text_for(key));
        let cookie = format!("{SESSION_COOKIE}={}", cookie.text_for(session));
        Self {
            rig,
            directory,
            wire,
            door,
            key: (key, headers(header::AUTHORIZATION, &bearer)),
            session: (session, headers(header::COOKIE, &cookie)),
        }
    }

    /// Asks at B's door; `None` when it refuses with 401.
    async fn ask(&self, headers: &HeaderMap) -> Option<Principal> {
        let demand = Demand {
            access: Access::SignedIn,
            own_page: false,
            effect: Effect::Reads,
        };
        match self
            .door
            .admit(headers, &RequestInfo::for_tests("test"), demand)
            .await
        {
            Ok((principal, _)) => principal,
            Err(error) => {
                assert_eq!(error.code(), ErrorCode::Unauthenticated, "{error:?}");
                None
            }
        }
    }

    /// Breaks B's bus, while requests keep coming and what is kept stays in use.
    async fn break_bus(&self, fault: Fault) {
        for _ in 0..20 {
            assert!(self.ask(&self.key.1).await.is_some() && self.ask(&self.session.1).await.is_some());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert!(
            self.directory.remembers(self.key.0.into()),
            "the door answers from memory"
        );
        match fault {
            Fault::None => {}
            Fault::Cut => self.wire.cut.store(true, Ordering::SeqCst),
            Fault::Mute => self.wire.mute.store(true, Ordering::SeqCst),
        }
        // A fetch that was under way still comes through, by 1 s.
        for _ in 0..110 {
            assert!(self.ask(&self.key.1).await.is_some());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// How long B still lets these credentials in, asked without pause.
    async fn let_in_for(&self, headers: &HeaderMap) -> Duration {
        let begun = Instant::now();
        while self.ask(headers).await.is_some() {
            assert!(begun.elapsed() < 10 * SECOND, "it is let in for ever");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        begun.elapsed()
    }

    async fn revoke_key(&self) {
        self.rig
            .run(ChangeApiKey {
                key: self.key.0,
                organization: self.rig.organization,
                expected: None,
                command: ApiKeyCommand::Revoke {
                    reason: "test".into(),
                },
            })
            .await;
    }

    async fn revoke_session(&self) {
        self.rig
            .run(ChangeSession {
                session: self.session.0,
                organization: self.rig.organization,
                command: SessionCommand::Revoke {
                    reason: "test".into(),
                },
            })
            .await;
    }
}

fn headers(name: HeaderName, value: &str) -> HeaderMap {
    HeaderMap::from_iter([(name, HeaderValue::from_str(value).expect("ASCII"))])
}

async fn revoked_at_a_is_refused_at_b(fault: Fault) {
    let two = Two::start().await;
    two.break_bus(fault).await;
    two.revoke_session().await;
    let session = two.let_in_for(&two.session.1).await;
    assert!(
        two.ask(&two.key.1).await.is_some(),
        "the key goes on without its session"
    );
    two.revoke_key().await;
    let key = two.let_in_for(&two.key.1).await;
    assert!(
        session < SECOND && key < SECOND,
        "{fault:?}: the session for {session:?}, the key for {key:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn revocation_should_count_elsewhere_within_a_second() {
    revoked_at_a_is_refused_at_b(Fault::None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn revocation_should_count_within_a_second_where_the_bus_fails() {
    revoked_at_a_is_refused_at_b(Fault::Cut).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn revocation_should_count_within_a_second_where_the_bus_says_that_nothing_happened() {
    revoked_at_a_is_refused_at_b(Fault::Mute).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn open_connection_should_end_within_a_second_where_the_bus_says_that_nothing_happened() {
    let two = Two::start().await;
    let principal = two.ask(&two.key.1).await.expect("let in");
    let waiting = {
        let credentials = two.door.credentials().clone();
        tokio::spawn(async move { credentials.until_revoked(&principal).await })
    };
    two.break_bus(Fault::Mute).await;
    assert!(!waiting.is_finished(), "a bus that fails ends nothing by itself");
    two.revoke_key().await;
    tokio::time::timeout(SECOND, waiting)
        .await
        .expect("told within a second")
        .expect("no panic");
}

#[tokio::test(flavor = "multi_thread")]
async fn known_credential_should_pay_no_strangers_toll_while_the_bus_fails() {
    let two = Two::start().await;
    two.break_bus(Fault::Mute).await;
    // Something happens that B does not hear of, so everything is read from the log.
    two.rig.rename("Second").await;
    let (_, per_address) = DoorParts::DEFAULT_QUOTAS;
    for _ in 0..per_address.burst + per_address.per_second {
        assert!(two.ask(&two.key.1).await.is_some());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn new_credential_should_pay_one_strangers_toll_for_all_its_connections() {
    let two = Arc::new(Two::start().await);
    let (_, per_address) = DoorParts::DEFAULT_QUOTAS;
    let mut asking = tokio::task::JoinSet::new();
    for _ in 0..4 * per_address.burst {
        let two = Arc::clone(&two);
        asking.spawn(async move { two.ask(&two.key.1).await.is_some() });
    }
    let answers = asking.join_all().await;
    assert!(
        answers.iter().all(|is_let_in| *is_let_in),
        "all of them are let in"
    );
}
