//! The contract of the event log as code. Every function makes its own log.

mod append;
mod clock;
mod concurrency;
mod read;
mod refusal;
mod restart;

use std::fmt::Debug;

pub use append::{
    append_should_number_densely_and_in_order, command_should_be_atomic_over_its_streams,
    conflict_should_not_touch_its_neighbours, preconditions_should_guard_without_writing,
    resend_should_give_the_first_outcome, streams_should_be_chained_by_hash,
    streams_should_take_several_commands_of_a_batch,
};
use async_trait::async_trait;
pub use clock::{append_should_refuse_a_clock_that_runs_ahead, hlc_should_follow_the_given_time};
pub use concurrency::{readers_should_see_a_growing_prefix, waiting_should_end_with_the_next_commit};
pub use read::{
    empty_log_should_stand_at_zero, leaves_should_be_those_of_the_events, reads_should_be_bounded,
    snapshots_should_be_kept_by_fold,
};
pub use refusal::{foreign_incarnation_should_be_refused_whole, malformed_batches_should_be_refused_whole};
pub use restart::restart_should_keep_everything;

use crate::ports::EventLog;
use crate::ports::event_log::{AppendCommand, AppendOutcome};

use super::sample::at;

/// Makes logs of one adapter with the shards of [`super::sample::families`].
#[async_trait]
pub trait Harness: Send + Sync {
    /// The adapter.
    type Log: EventLog + Debug + 'static;
    /// A new, empty log.
    async fn fresh(&self) -> Self::Log;
    /// Closes the log and opens the same storage again.
    async fn reopen(&self, log: Self::Log) -> Self::Log;
}

/// Runs the whole suite.
pub async fn suite(harness: &impl Harness) {
    empty_log_should_stand_at_zero(&harness.fresh().await).await;
    append_should_number_densely_and_in_order(&harness.fresh().await).await;
    streams_should_be_chained_by_hash(&harness.fresh().await).await;
    streams_should_take_several_commands_of_a_batch(&harness.fresh().await).await;
    command_should_be_atomic_over_its_streams(&harness.fresh().await).await;
    conflict_should_not_touch_its_neighbours(&harness.fresh().await).await;
    preconditions_should_guard_without_writing(&harness.fresh().await).await;
    resend_should_give_the_first_outcome(&harness.fresh().await).await;
    hlc_should_follow_the_given_time(&harness.fresh().await).await;
    append_should_refuse_a_clock_that_runs_ahead(&harness.fresh().await).await;
    malformed_batches_should_be_refused_whole(&harness.fresh().await).await;
    foreign_incarnation_should_be_refused_whole(&harness.fresh().await).await;
    reads_should_be_bounded(&harness.fresh().await).await;
    leaves_should_be_those_of_the_events(&harness.fresh().await).await;
    snapshots_should_be_kept_by_fold(&harness.fresh().await).await;
    readers_should_see_a_growing_prefix(harness.fresh().await).await;
    waiting_should_end_with_the_next_commit(harness.fresh().await).await;
    restart_should_keep_everything(harness).await;
}

/// Appends a batch that must not fail as a whole.
async fn append(log: &impl EventLog, batch: Vec<AppendCommand>) -> Vec<AppendOutcome> {
    log.append(batch, Some(at(0))).await.expect("the batch is taken")
}

/// First and last position of a committed command.
#[track_caller]
fn committed(outcome: &AppendOutcome) -> (u64, u64) {
    match outcome {
        AppendOutcome::Committed { first, last, .. } => (*first, *last),
        other => panic!("not committed: {other:?}"),
    }
}
