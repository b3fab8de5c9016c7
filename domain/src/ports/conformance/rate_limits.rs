//! The contract of rate limits as code.
//!
//! Paces are slow against the time the suite takes, so that refilling meanwhile cannot hide a mistake.

use std::time::Duration;

use async_trait::async_trait;
use futures::future::join_all;

use crate::ports::RateLimits;
use crate::ports::rate_limits::{Rate, Verdict};

/// Makes rate limits of one adapter.
#[async_trait]
pub trait Harness: Send + Sync {
    /// The adapter.
    type Limits: RateLimits;
    /// New ones, every bucket full.
    async fn fresh(&self) -> Self::Limits;
    /// Lets time pass for them.
    async fn pass(&self, time: Duration);
}

const SLOW: Rate = Rate {
    burst: 3,
    per_second: 1,
};

/// Runs the whole suite.
pub async fn suite(harness: &impl Harness) {
    let limits = harness.fresh().await;
    buckets_should_start_full_and_refill_evenly(&limits, harness).await;
    buckets_should_never_hold_more_than_their_burst(&limits, harness).await;
    costs_should_count(&limits).await;
    odd_rates_should_give_their_whole_burst(&limits).await;
    names_should_not_share_a_bucket(&limits).await;
    callers_at_once_should_get_the_burst_and_no_more(&limits).await;
}

fn waits(verdict: Verdict, at_most: Duration) -> Duration {
    match verdict {
        Verdict::Go => panic!("it should have to wait"),
        Verdict::Wait(time) => {
            assert!(!time.is_zero() && time <= at_most, "{time:?} of {at_most:?}");
            time
        }
    }
}

async fn buckets_should_start_full_and_refill_evenly(limits: &impl RateLimits, harness: &impl Harness) {
    let second = Duration::from_secs(1);
    for _ in 0..SLOW.burst {
        assert_eq!(limits.take("refill", 1, SLOW).await, Verdict::Go);
    }
    let mut left = waits(limits.take("refill", 1, SLOW).await, second);
    for _ in 0..20 {
        left = waits(limits.take("refill", 1, SLOW).await, left);
    }
    harness.pass(left).await;
    assert_eq!(
        limits.take("refill", 1, SLOW).await,
        Verdict::Go,
        "refusals took nothing, and the wait was enough"
    );
    waits(limits.take("refill", 1, SLOW).await, second);
}

async fn buckets_should_never_hold_more_than_their_burst(limits: &impl RateLimits, harness: &impl Harness) {
    let quick = Rate {
        burst: 2,
        per_second: 5,
    };
    assert_eq!(limits.take("idle", 1, quick).await, Verdict::Go);
    harness.pass(Duration::from_millis(600)).await;
    for _ in 0..quick.burst {
        assert_eq!(limits.take("idle", 1, quick).await, Verdict::Go);
    }
    // With the same bucket at a pace at which nothing comes back meanwhile.
    let slow = Rate {
        per_second: 1,
        ..quick
    };
    waits(limits.take("idle", 2, slow).await, Duration::from_secs(2));
}

async fn costs_should_count(limits: &impl RateLimits) {
    let three = Duration::from_secs(3);
    assert_eq!(limits.take("costs", 0, SLOW).await, Verdict::Go);
    assert_eq!(limits.take("costs", 2, SLOW).await, Verdict::Go);
    waits(limits.take("costs", 2, SLOW).await, three);
    assert_eq!(
        limits.take("costs", 1, SLOW).await,
        Verdict::Go,
        "what was refused took nothing"
    );
    assert_eq!(
        limits.take("costs", 0, SLOW).await,
        Verdict::Go,
        "nothing can always be taken"
    );
    assert_eq!(
        limits.take("too much", 100, SLOW).await,
        Verdict::Go,
        "more than the burst takes all of it"
    );
    waits(limits.take("too much", 100, SLOW).await, three);
    waits(limits.take("too much", 1, SLOW).await, Duration::from_secs(1));
}

async fn odd_rates_should_give_their_whole_burst(limits: &impl RateLimits) {
    for (burst, per_second) in [(7, 3), (3, 7), (1, 1), (0, 0)] {
        let (name, rate) = (format!("odd {burst} {per_second}"), Rate { burst, per_second });
        // The whole burst at once takes what single tokens would, whatever the division leaves over.
        assert_eq!(
            limits.take(&name, burst.max(1), rate).await,
            Verdict::Go,
            "{name}"
        );
        waits(
            limits.take(&name, burst.max(1), rate).await,
            Duration::from_secs(3),
        );
    }
}

async fn names_should_not_share_a_bucket(limits: &impl RateLimits) {
    let long = "n".repeat(127);
    for name in ["a", "A", "a b", "a\r\nb", "", "ä", &long] {
        assert_eq!(limits.take(name, 3, SLOW).await, Verdict::Go, "{name:?}");
        waits(limits.take(name, 1, SLOW).await, Duration::from_secs(1));
    }
}

async fn callers_at_once_should_get_the_burst_and_no_more(limits: &impl RateLimits) {
    let rate = Rate {
        burst: 10,
        per_second: 1,
    };
    let verdicts = join_all((0..40).map(|_| limits.take("crowd", 1, rate))).await;
    let through = verdicts.iter().filter(|v| **v == Verdict::Go).count();
    assert_eq!(through, 10);
}
