//! The executor without faults: order, refusals, creation, bounds, several nodes.

use std::sync::Arc;

use futures::future::join_all;
use tokio_util::sync::CancellationToken;
use vaultstream_domain::Event;
use vaultstream_domain::error::Coded;
use vaultstream_domain::ports::EventLog;
use vaultstream_domain::ports::conformance::sample::{Writer, at};
use vaultstream_domain::vault::VaultError;
use vaultstream_event_schemas::{ErrorCode, ShardNumber, Versions};
use vaultstream_kernel::{ExecuteError, Executor, Options, Writable};

use crate::node::{
    Case, Disk, Still, change, context_of, created, events, executor, increment, number, ports, renamed, run,
    shift, state, stored_number, vault,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn commands_on_one_stream_should_build_on_each_other() {
    let disk = Disk::new();
    let log = disk.log();
    let executor = executor(log.clone());
    let answers = join_all((0..500).map(|_| run(&executor, increment(vault(1))))).await;
    let mut versions = Vec::new();
    for answer in answers {
        let committed = answer.expect("committed");
        let [place] = committed.events[..] else {
            panic!("one event a command")
        };
        assert_eq!(committed.states.version(vault(1)), place.sequence);
        assert_eq!(
            number(&committed.states, vault(1)),
            place.sequence,
            "the state after this command"
        );
        assert_eq!(committed.positions.0[&ShardNumber(0)].position, place.position);
        versions.push(place.sequence);
    }
    versions.sort_unstable();
    assert_eq!(versions, (1..=500).collect::<Vec<_>>(), "each version once");
    assert_eq!(stored_number(&*log, vault(1)).await, 500);
    for event in events(&*log).await {
        event.verify().expect("the bytes give the hash");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nodes_on_one_log_should_lose_no_update() {
    let disk = Disk::new();
    let log = disk.log();
    let patient = Options {
        attempts: 10_000,
        ..Options::default()
    };
    let nodes: Vec<_> = (0..3)
        .map(|_| Executor::start(patient, ports(log.clone()), CancellationToken::new()))
        .collect();
    let (a, b, c) = (vault(1), vault(2), vault(3));
    let mut tasks = Vec::new();
    for (n, node) in nodes.iter().enumerate() {
        for i in 0..60usize {
            let case = match (n + i) % 3 {
                0 => increment(a),
                1 => shift(a, b),
                _ => shift(b, c),
            };
            tasks.push(run(node, case));
        }
    }
    let answers = join_all(tasks).await;
    assert!(answers.iter().all(Result::is_ok), "patience outlasts contention");
    let mut total = 0;
    for stream in [a, b, c] {
        total += stored_number(&*log, stream).await;
    }
    assert_eq!(total, 60, "what was counted up is somewhere, once");
}

#[tokio::test]
async fn refusals_and_repetitions_should_rest_on_durable_states() {
    let disk = Disk::new();
    let log = disk.log();
    let executor = executor(log.clone());
    let create = || {
        Case::reading(vec![vault(1)], |states, _| match state(states, vault(1)).status {
            None => Ok(vec![change(vault(1), vec![created("one")])]),
            Some(_) => Err(VaultError::AlreadyCreated.into()),
        })
    };
    // Sent together: the second is decided on a state that is still in flight.
    let (first, second) = tokio::join!(run(&executor, create()), run(&executor, create()));
    assert_eq!(first.expect("created").events.len(), 1);
    let refused = second.expect_err("refused");
    assert!(matches!(refused, ExecuteError::Refused(_)));
    assert_eq!(refused.code(), ErrorCode::AlreadyExists);

    let nothing = run(&executor, Case::reading(vec![vault(1)], |_, _| Ok(vec![])))
        .await
        .expect("nothing to do");
    assert!(nothing.is_unchanged());
    assert_eq!(
        nothing.positions.0[&ShardNumber(0)].position,
        1,
        "a token that covers the earlier effect"
    );
    let empty = Case::reading(vec![vault(1)], |_, _| Ok(vec![change(vault(1), vec![])]));
    assert!(run(&executor, empty).await.expect("nothing to do").is_unchanged());
    assert_eq!(events(&*log).await.len(), 1);
}

#[tokio::test]
async fn refusal_should_not_rest_on_what_another_node_has_changed() {
    let disk = Disk::new();
    let log = disk.log();
    let executor = executor(log.clone());
    run(&executor, increment(vault(1)))
        .await
        .expect("the executor now knows version 1");
    let only_at_two = || {
        Case::reading(vec![vault(1)], |states, _| match states.version(vault(1)) {
            2 => Ok(vec![change(vault(1), vec![renamed("three")])]),
            _ => Err(VaultError::Archived.into()),
        })
    };
    run(&executor, only_at_two()).await.expect_err("not at two yet");
    let hash = events(&*log).await[0].hash;
    let mut other = Writer {
        version: 1,
        hash,
        ..Writer::new(vault(1))
    };
    log.append(vec![other.command("2", 1)], None)
        .await
        .expect("another node appends");
    let committed = run(&executor, only_at_two())
        .await
        .expect("looked again before refusing");
    assert_eq!(committed.events[0].sequence, 3);
}

#[tokio::test]
async fn created_streams_should_not_exist_unless_the_use_case_settles_it() {
    let disk = Disk::new();
    let log = disk.log();
    let blind = || Case {
        reads: vec![],
        creates: vec![vault(1)],
        ..Case::reading(vec![vault(1)], |_, _| {
            Ok(vec![change(vault(1), vec![created("one")])])
        })
    };
    let careful = || Case {
        decide: Arc::new(|states, _| match states.version(vault(1)) {
            0 => Ok(vec![change(vault(1), vec![created("one")])]),
            _ => Ok(vec![]),
        }),
        ..blind()
    };
    assert!(
        !run(&executor(log.clone()), careful())
            .await
            .expect("created")
            .is_unchanged()
    );
    // A fresh executor does not know the stream and finds out from the log.
    for node in [executor(log.clone()), executor(log.clone())] {
        assert!(matches!(run(&node, blind()).await, Err(ExecuteError::Exists(stream)) if stream == vault(1)));
        assert!(
            run(&node, careful())
                .await
                .expect("has its effect already")
                .is_unchanged()
        );
    }
    assert_eq!(events(&*log).await.len(), 1);
}

#[tokio::test]
async fn faulty_use_cases_should_fail_alone_with_the_rule_they_break() {
    let disk = Disk::new();
    let log = disk.log();
    let executor = executor(log.clone());
    let quiet = |_: &vaultstream_domain::States, _| Ok(vec![]);
    let foreign = vaultstream_domain::ports::conformance::sample::stream(1, 1);
    let cases = [
        (
            "names 0 streams",
            Case {
                reads: vec![],
                ..Case::reading(vec![vault(1)], quiet)
            },
        ),
        (
            "names 65 streams",
            Case::reading((0..65).map(vault).collect(), quiet),
        ),
        ("not in its shard", Case::reading(vec![vault(1), foreign], quiet)),
        ("twice", Case::reading(vec![vault(1), vault(1)], quiet)),
        (
            "without having named it",
            Case::reading(vec![vault(1)], |_, _| {
                Ok(vec![change(vault(2), vec![renamed("x")])])
            }),
        ),
        (
            "changes",
            Case::reading(vec![vault(1)], |_, _| {
                Ok(vec![
                    change(vault(1), vec![renamed("x")]),
                    change(vault(1), vec![renamed("y")]),
                ])
            }),
        ),
        (
            "257 events",
            Case::reading(vec![vault(1)], |_, _| {
                Ok(vec![change(vault(1), vec![renamed("x"); 257])])
            }),
        ),
    ];
    for (rule, case) in cases {
        let (good, bad) = tokio::join!(run(&executor, increment(vault(9))), run(&executor, case));
        good.expect("a neighbour is not touched");
        match bad {
            Err(ExecuteError::Faulty { fault, .. }) => assert!(fault.contains(rule), "{rule}: {fault}"),
            other => panic!("{rule}: {other:?}"),
        }
    }
    let panics = Case::reading(vec![vault(9)], |_, _| panic!("on purpose"));
    let (good, bad) = tokio::join!(run(&executor, increment(vault(9))), run(&executor, panics));
    good.expect("a neighbour is not touched");
    assert!(matches!(bad, Err(ExecuteError::Panicked("test.case"))));
    let unasked = Case::reading(vec![vault(9)], |states, _| {
        state(states, vault(8));
        Ok(vec![])
    });
    assert!(
        matches!(run(&executor, unasked).await, Err(ExecuteError::Panicked(_))),
        "a stream it did not name"
    );
    assert_eq!(stored_number(&*log, vault(9)).await, 8);
}

#[tokio::test]
async fn shutdown_should_answer_what_was_taken_and_take_no_more() {
    let disk = Disk::new();
    let log = disk.log();
    let shutdown = CancellationToken::new();
    let executor = Executor::start(Options::default(), ports(log.clone()), shutdown.clone());
    let running = join_all((0..200).map(|_| run(&executor, increment(vault(1)))));
    let stop = async {
        // The commands are polled first, so they stand in the queue by now.
        shutdown.cancel();
    };
    let (answers, ()) = tokio::join!(running, stop);
    assert_eq!(answers.iter().filter(|a| a.is_ok()).count(), 200);
    let late = async {
        loop {
            match run(&executor, increment(vault(1))).await {
                Ok(_) => tokio::task::yield_now().await,
                Err(error) => break error,
            }
        }
    };
    let refused = tokio::time::timeout(std::time::Duration::from_secs(5), late)
        .await
        .expect("it ends");
    assert!(matches!(refused, ExecuteError::Stopped), "{refused}");
    assert_eq!(refused.code(), ErrorCode::Restarting);
}

#[tokio::test]
async fn same_script_should_give_the_same_log() {
    let mut logs = Vec::new();
    for _ in 0..2 {
        let disk = Disk::new();
        let log = disk.log();
        let mut ports = ports(log.clone());
        ports.clock = Arc::new(Still(77));
        let options = Options {
            engine_clock: false,
            ..Options::default()
        };
        let executor = Executor::start(options, ports, CancellationToken::new());
        for n in 0..40 {
            let (up, over) = (increment(vault(n % 7)), shift(vault(n % 7), vault(n % 5 + 10)));
            executor
                .execute(context_of(2 * n), Arc::new(up))
                .await
                .expect("committed");
            executor
                .execute(context_of(2 * n + 1), Arc::new(over))
                .await
                .expect("committed");
        }
        logs.push(events(&*log).await);
    }
    assert_eq!(logs[0].len(), 120);
    assert_eq!(
        logs[0][0].hlc.timestamp(),
        at(77),
        "the log follows the given clock"
    );
    assert_eq!(logs[0], logs[1]);
}

#[tokio::test]
async fn event_that_somebody_would_not_read_should_wait_and_fail_no_neighbour() {
    let disk = Disk::new();
    let log = disk.log();
    let writable = Writable::own();
    let reads = Event::reads();
    let older: Versions = reads
        .iter()
        .filter(|(name, _)| *name != "vault.renamed")
        .collect();
    writable.set(older);
    let executor = Executor::gated(
        Options::default(),
        ports(log.clone()),
        writable.clone(),
        CancellationToken::new(),
    );
    let create = || {
        Case::reading(vec![vault(1)], |_, _| {
            Ok(vec![change(vault(1), vec![created("one")])])
        })
    };
    let both = || {
        let events = || vec![created("two"), renamed("too")];
        Case::reading(vec![vault(2)], move |_, _| Ok(vec![change(vault(2), events())]))
    };
    let (taken, refused) = tokio::join!(run(&executor, create()), run(&executor, both()));
    assert_eq!(taken.expect("everybody reads it").events.len(), 1);
    let refused = refused.expect_err("nobody older reads it");
    assert!(matches!(refused, ExecuteError::NotYet(_)), "{refused}");
    assert_eq!(refused.code(), ErrorCode::UpgradeInProgress);
    assert_eq!(events(&*log).await.len(), 1, "nothing of the refused command");
    writable.set(reads);
    let taken = run(&executor, both()).await.expect("the last one has gone");
    assert_eq!(taken.events.len(), 2);
}
