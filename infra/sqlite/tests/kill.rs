//! A child process appends and prints what was acknowledged; it is killed without warning; everything it printed must
//! be in the log, densely, and the log must go on.
//!
//! The child is this test binary again, running the one ignored test with a path in its environment.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use vaultstream_domain::ports::EventLog;
use vaultstream_domain::ports::conformance::sample::{self, Writer, at, stream};
use vaultstream_domain::ports::event_log::AppendOutcome;
use vaultstream_event_schemas::ShardNumber;
use vaultstream_event_schemas::envelope::GENESIS;
use vaultstream_infra_sqlite::{Options, SqliteLog};

const PATH: &str = "VAULTSTREAM_KILL_TEST_LOG";
const KILLS: u64 = 5;

#[tokio::test]
#[ignore = "the child of the test below; does nothing by itself"]
async fn child_appends_until_it_is_killed() {
    let Ok(path) = std::env::var(PATH) else { return };
    let log = SqliteLog::open(&Options::new(path, sample::families())).expect("opens after every kill");
    let head = log.heads().await.expect("readable")[&ShardNumber(0)].position;
    let mut writers: Vec<_> = (0..3).map(|n| Writer::new(stream(0, head * 10 + n))).collect();
    for round in 0.. {
        let batch = writers
            .iter_mut()
            .map(|w| w.command(&format!("round {round}"), 2))
            .collect();
        for outcome in log.append(batch, Some(at(round))).await.expect("taken") {
            let AppendOutcome::Committed { last, .. } = outcome else {
                panic!("nobody else writes")
            };
            println!("acknowledged {last}");
        }
    }
}

#[tokio::test]
async fn acknowledged_events_should_survive_kill_minus_nine() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let path = dir.path().join("log.db");
    let mut acknowledged = 0;
    for kill in 1..=KILLS {
        let mut child = Command::new(std::env::current_exe().expect("this binary"))
            .args([
                "child_appends_until_it_is_killed",
                "--exact",
                "--ignored",
                "--nocapture",
            ])
            .env(PATH, &path)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("starts");
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        // A different moment each time, always after some commits.
        let mut wanted = 40 + kill * 37;
        let mut take = |line: String| {
            let number = line
                .strip_prefix("acknowledged ")
                .and_then(|n| n.parse::<u64>().ok());
            acknowledged = number.map_or(acknowledged, |n| acknowledged.max(n));
            number.is_some()
        };
        while wanted > 0 {
            let line = lines
                .next()
                .expect("the child goes on until it is killed")
                .expect("readable");
            wanted -= u64::from(take(line));
        }
        child.kill().expect("killed");
        child.wait().expect("ended");
        // What was printed before the kill and is still in the pipe was acknowledged too.
        lines.map_while(Result::ok).for_each(|line| {
            take(line);
        });
    }
    let log = SqliteLog::open(&Options::new(&path, sample::families())).expect("opens after the last kill");
    let events = log.read_shard(ShardNumber(0), 0, 10_000).await.expect("readable");
    assert!(
        events.len() as u64 >= acknowledged,
        "{} events, {acknowledged} acknowledged",
        events.len()
    );
    let mut heads = std::collections::HashMap::new();
    for (event, position) in events.iter().zip(1..) {
        assert_eq!(event.position, position, "dense");
        event.verify().expect("whole");
        let previous = heads.insert(event.envelope.stream, event.hash).unwrap_or(GENESIS);
        assert_eq!(event.previous, previous, "chained");
    }
    let mut writer = Writer::new(stream(0, 1 << 40));
    let outcomes = log
        .append(vec![writer.command("goes on", 1)], Some(at(0)))
        .await
        .expect("taken");
    assert!(
        matches!(outcomes[0], AppendOutcome::Committed { first, .. } if first == events.len() as u64 + 1)
    );
}
