//! The contract of leases as code. Times are real, because a store's clock is its own; they are short where the end of
//! a lease is waited for and long where it must not come.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::ports::Leases;
use crate::ports::leases::MAX_LEASE;

const LONG: Duration = Duration::from_secs(120);
const SHORT: Duration = Duration::from_millis(400);
/// Well after a short lease has ended.
const AFTER_SHORT: Duration = Duration::from_millis(700);

/// Makes lease books of one adapter.
#[async_trait]
pub trait Harness: Send + Sync {
    /// The adapter.
    type Leases: Leases + 'static;
    /// A new, empty one.
    async fn fresh(&self) -> Self::Leases;
    /// Closes it and opens the same storage again.
    async fn reopen(&self, leases: Self::Leases) -> Self::Leases;
}

/// Runs the whole suite.
pub async fn suite(harness: &impl Harness) {
    lease_should_have_one_holder(&harness.fresh().await).await;
    lease_should_end_with_its_time(&harness.fresh().await).await;
    renewal_should_count_from_its_own_moment(&harness.fresh().await).await;
    release_should_free_own_leases_only(&harness.fresh().await).await;
    race_should_have_one_winner(harness.fresh().await).await;
    held_should_name_what_somebody_holds(&harness.fresh().await).await;
    bad_requests_should_be_refused(&harness.fresh().await).await;
    held_leases_should_outlive_a_restart(harness).await;
}

async fn takes(leases: &impl Leases, name: &str, holder: &str, ttl: Duration) -> bool {
    leases.acquire(name, holder, ttl).await.expect("answered")
}

/// A held lease is refused to others and renewed by its holder; names know nothing of each other.
pub async fn lease_should_have_one_holder(leases: &impl Leases) {
    assert!(takes(leases, "relay", "a", LONG).await, "free");
    assert!(!takes(leases, "relay", "b", LONG).await, "held");
    assert!(takes(leases, "relay", "a", LONG).await, "its own");
    assert!(takes(leases, "Relay", "b", LONG).await, "another name");
    assert!(!takes(leases, "relay", "b", LONG).await, "still held");
    let longest = "é".repeat(128);
    assert!(
        takes(leases, &longest, &longest, MAX_LEASE).await,
        "as long as allowed"
    );
}

/// Who does not renew loses the lease, and then is a stranger to it.
pub async fn lease_should_end_with_its_time(leases: &impl Leases) {
    assert!(takes(leases, "sealer", "a", SHORT).await);
    assert!(!takes(leases, "sealer", "b", LONG).await, "not over yet");
    tokio::time::sleep(AFTER_SHORT).await;
    assert!(takes(leases, "sealer", "b", LONG).await, "over");
    assert!(!takes(leases, "sealer", "a", LONG).await, "lost");
}

/// A renewal lasts from when it was made, and may also shorten.
pub async fn renewal_should_count_from_its_own_moment(leases: &impl Leases) {
    assert!(takes(leases, "longer", "a", SHORT).await);
    assert!(takes(leases, "longer", "a", LONG).await);
    assert!(takes(leases, "shorter", "a", LONG).await);
    assert!(takes(leases, "shorter", "a", SHORT).await);
    tokio::time::sleep(AFTER_SHORT).await;
    assert!(!takes(leases, "longer", "b", LONG).await, "renewed");
    assert!(takes(leases, "shorter", "b", LONG).await, "renewed for less");
}

/// What is given back is free at once; nobody gives back what is another's.
pub async fn release_should_free_own_leases_only(leases: &impl Leases) {
    leases.release("nobody's", "a").await.expect("nothing to do");
    assert!(takes(leases, "watcher", "a", LONG).await);
    leases.release("watcher", "b").await.expect("nothing to do");
    assert!(!takes(leases, "watcher", "b", LONG).await, "still held");
    leases.release("watcher", "a").await.expect("given back");
    assert!(takes(leases, "watcher", "b", LONG).await, "free");
    leases.release("watcher", "a").await.expect("nothing to do");
    assert!(
        !takes(leases, "watcher", "a", LONG).await,
        "given back twice, held by another"
    );
}

/// Of many that ask at once, for a new lease and for one that has ended, exactly one is told yes.
pub async fn race_should_have_one_winner<L: Leases + 'static>(leases: L) {
    let leases = Arc::new(leases);
    assert!(takes(&*leases, "ended", "former", SHORT).await);
    tokio::time::sleep(AFTER_SHORT).await;
    for name in ["new", "ended"] {
        let racers: Vec<_> = (0..16)
            .map(|n| {
                let leases = Arc::clone(&leases);
                tokio::spawn(async move { takes(&*leases, name, &format!("racer {n}"), LONG).await })
            })
            .collect();
        let mut winners = 0;
        for racer in racers {
            winners += u32::from(racer.await.expect("a racer ends well"));
        }
        assert_eq!(winners, 1, "{name}");
    }
}

/// What is held now is listed by the beginning of its name, whoever holds it; what ended or was given back is not.
pub async fn held_should_name_what_somebody_holds(leases: &impl Leases) {
    for (name, holder) in [
        ("live/b", "b"),
        ("live/a", "a"),
        ("live/B", "c"),
        ("Live/c", "a"),
        ("other", "a"),
    ] {
        assert!(takes(leases, name, holder, LONG).await, "{name}");
    }
    assert!(takes(leases, "live/over", "a", SHORT).await);
    assert!(takes(leases, "live/back", "a", LONG).await);
    leases.release("live/back", "a").await.expect("given back");
    tokio::time::sleep(AFTER_SHORT).await;
    let held = leases.held("live/").await.expect("answered");
    assert_eq!(held, ["live/B", "live/a", "live/b"]);
    assert_eq!(leases.held("nobody").await.expect("answered"), [""; 0]);
    assert_eq!(
        leases.held("").await.expect("answered").len(),
        5,
        "every name begins with nothing"
    );
}

/// Names, holders and times outside their bounds are refused and change nothing.
pub async fn bad_requests_should_be_refused(leases: &impl Leases) {
    let long = "n".repeat(129);
    for (name, holder, ttl) in [
        ("", "a", LONG),
        ("x", "", LONG),
        (long.as_str(), "a", LONG),
        ("x", long.as_str(), LONG),
        ("x", "a", Duration::ZERO),
        ("x", "a", MAX_LEASE + Duration::from_millis(1)),
    ] {
        leases
            .acquire(name, holder, ttl)
            .await
            .expect_err("out of bounds");
    }
    leases.release("", "a").await.expect_err("out of bounds");
    assert!(takes(leases, "x", "b", LONG).await, "nobody got it");
}

/// A restart of the store frees nothing and forgets no end.
pub async fn held_leases_should_outlive_a_restart(harness: &impl Harness) {
    let leases = harness.fresh().await;
    assert!(takes(&leases, "long", "a", LONG).await);
    assert!(takes(&leases, "short", "a", SHORT).await);
    let leases = harness.reopen(leases).await;
    tokio::time::sleep(AFTER_SHORT).await;
    assert!(
        !takes(&leases, "long", "b", LONG).await,
        "held across the restart"
    );
    assert!(
        takes(&leases, "short", "b", LONG).await,
        "ended across the restart"
    );
}
