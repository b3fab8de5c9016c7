//! Callers who find the queue full: they wait in order, so many and so long at most, and leave no trace when they go.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use futures::{FutureExt, poll};
use tokio_util::sync::CancellationToken;
use vaultstream_domain::error::Coded;
use vaultstream_event_schemas::ErrorCode;
use vaultstream_kernel::{ExecuteError, Executor, Options};

use crate::faults::{Fault, Faulty};
use crate::node::{Disk, executor, increment, ports, run, stored_number, vault};

/// Up to two commands in flight, two more in hand, four in the queue.
const SMALL: Options = Options {
    queue: 4,
    line: 1_000,
    line_ms: 60_000,
    batch_commands: 2,
    batch_bytes: 1 << 20,
    in_flight: 1,
    states: 100,
    snapshot_every: 200,
    attempts: 16,
    append_tries: 6,
    engine_clock: true,
};

/// An executor with little room, and its log, whose appends can be held up.
fn node(disk: &Disk, options: Options) -> (Arc<Faulty>, Executor, CancellationToken) {
    let log = Faulty::new(disk.log(), &[Fault::None]);
    let shutdown = CancellationToken::new();
    let executor = Executor::start(options, ports(log.clone()), shutdown.clone());
    (log, executor, shutdown)
}

/// Lets the executor take what it can.
async fn settle() {
    tokio::time::sleep(Duration::from_millis(100)).await;
}

#[tokio::test]
async fn callers_should_get_room_in_the_order_they_came() {
    let disk = Disk::new();
    let (log, executor, _shutdown) = node(&disk, SMALL);
    let closed = log.gate.acquire_many(100).await.expect("never closed for good");
    let pending = join_all((0..200).map(|_| run(&executor, increment(vault(1)))));
    let open = async {
        settle().await;
        drop(closed);
    };
    let (answers, ()) = tokio::join!(pending, open);
    let order: Vec<_> = answers
        .iter()
        .map(|a| a.as_ref().expect("committed").events[0].sequence)
        .collect();
    assert_eq!(order, (1..=200).collect::<Vec<_>>());
}

#[tokio::test]
async fn line_should_hold_so_many_and_turn_the_others_away_at_once() {
    let disk = Disk::new();
    let options = Options { line: 16, ..SMALL };
    let (log, executor, _shutdown) = node(&disk, options);
    let closed = log.gate.acquire_many(100).await.expect("never closed for good");
    let mut taken = Vec::new();
    // One by one, so that the executor has taken what it can before the line forms.
    let turned_away = loop {
        let mut caller = Box::pin(run(&executor, increment(vault(1))));
        match poll!(&mut caller) {
            std::task::Poll::Ready(answer) => {
                break answer.expect_err("nothing commits behind a closed gate");
            }
            std::task::Poll::Pending => taken.push(caller),
        }
        if taken.len() <= SMALL.queue + 4 {
            settle().await;
        }
        assert!(taken.len() < 100, "the line has no end");
    };
    assert!(matches!(turned_away, ExecuteError::Overloaded), "{turned_away}");
    assert_eq!(turned_away.code(), ErrorCode::Overloaded);
    let in_hand = taken.len() - options.line - options.queue;
    assert!(
        (1..=2 * options.batch_commands).contains(&in_hand),
        "besides line and queue only a batch in flight and one behind it: {in_hand}"
    );
    drop(closed);
    let taken = join_all(taken).await;
    assert!(taken.iter().all(Result::is_ok), "who stands in line is served");
    assert_eq!(
        stored_number(&*log, vault(1)).await,
        taken.len() as u64,
        "each promise kept, nothing else done"
    );
}

#[tokio::test]
async fn line_that_does_not_move_should_end_at_its_deadline() {
    let disk = Disk::new();
    let (log, executor, _shutdown) = node(
        &disk,
        Options {
            line_ms: 200,
            ..SMALL
        },
    );
    let closed = log.gate.acquire_many(100).await.expect("never closed for good");
    let begun = tokio::time::Instant::now();
    let running: Vec<_> = (0..50)
        .map(|_| {
            let executor = executor.clone();
            tokio::spawn(async move { (run(&executor, increment(vault(1))).await, begun.elapsed()) })
        })
        .collect();
    tokio::time::sleep(Duration::from_secs(2)).await;
    drop(closed);
    let mut done = 0;
    for caller in running {
        match caller.await.expect("no caller panics") {
            (Ok(_), _) => done += 1,
            (Err(ExecuteError::Overloaded), after) => assert!(
                after >= Duration::from_millis(200) && after < Duration::from_secs(2),
                "turned away after {after:?}, while the gate was still closed"
            ),
            (Err(other), _) => panic!("{other}"),
        }
    }
    assert!((1..50).contains(&done), "{done} done");
    assert_eq!(stored_number(&*log, vault(1)).await, done);
}

#[tokio::test]
async fn caller_who_leaves_the_line_should_free_the_place_and_have_asked_for_nothing() {
    let disk = Disk::new();
    let (log, executor, _shutdown) = node(&disk, Options { line: 1, ..SMALL });
    let closed = log.gate.acquire_many(100).await.expect("never closed for good");
    let mut taken = Vec::new();
    let refused = loop {
        let mut caller = Box::pin(run(&executor, increment(vault(1))));
        if let Some(answer) = (&mut caller).now_or_never() {
            break answer;
        }
        taken.push(caller);
        settle().await;
    };
    assert!(matches!(refused, Err(ExecuteError::Overloaded)));
    drop(taken.pop());
    let mut next = Box::pin(run(&executor, increment(vault(1))));
    assert!((&mut next).now_or_never().is_none(), "the place is free again");
    taken.push(next);
    drop(closed);
    let answers = join_all(taken).await;
    assert!(answers.iter().all(Result::is_ok));
    assert_eq!(
        stored_number(&*log, vault(1)).await,
        answers.len() as u64,
        "nothing of whoever left"
    );
}

#[tokio::test]
async fn shutdown_should_send_the_line_home() {
    let disk = Disk::new();
    let (log, executor, shutdown) = node(&disk, SMALL);
    let closed = log.gate.acquire_many(100).await.expect("never closed for good");
    let pending = join_all((0..50).map(|_| run(&executor, increment(vault(1)))));
    let stop = async {
        settle().await;
        shutdown.cancel();
        settle().await;
        drop(closed);
    };
    let (answers, ()) = tokio::join!(pending, stop);
    let stopped = answers.iter().filter(|a| matches!(a, Err(ExecuteError::Stopped)));
    let (stopped, done) = (stopped.count(), answers.iter().filter(|a| a.is_ok()).count());
    assert!(stopped > 0 && done > 0, "{stopped} stopped, {done} done");
    assert_eq!(stopped + done, 50);
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_callers_at_once_should_all_be_answered() {
    let disk = Disk::new();
    let log = disk.log();
    let executor = executor(log.clone());
    let running: Vec<_> = (0..10_000)
        .map(|n| {
            let executor = executor.clone();
            tokio::spawn(async move { run(&executor, increment(vault(n % 50))).await })
        })
        .collect();
    for caller in running {
        caller.await.expect("no caller panics").expect("committed");
    }
    let mut sum = 0;
    for n in 0..50 {
        sum += stored_number(&*log, vault(n)).await;
    }
    assert_eq!(sum, 10_000, "no answer was lost and none was given twice");
}
