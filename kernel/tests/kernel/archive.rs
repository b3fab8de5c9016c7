//! Export and import between real embedded logs: the same bytes come out of the copy, and nothing else goes in.

use vaultstream_domain::ports::EventLog;
use vaultstream_domain::ports::conformance::sample::{self, Writer};
use vaultstream_event_schemas::{Family, ShardNumber, Slug};
use vaultstream_infra_sqlite::{Options, SqliteLog};
use vaultstream_kernel::archive::{ArchiveError, Count, Importer, Range, export};

struct Rig {
    log: SqliteLog,
    _dir: tempfile::TempDir,
}

fn rig() -> Rig {
    with(sample::families())
}

fn with(families: Vec<(Family, u16)>) -> Rig {
    let dir = tempfile::tempdir().expect("a directory");
    let log = SqliteLog::open(&Options::new(dir.path().join("log.db"), families)).expect("opens");
    Rig { log, _dir: dir }
}

/// Streams of two shards, written in batches with pauses between them, so that clocks jump and follow.
async fn history(log: &SqliteLog) -> u64 {
    let mut writers: Vec<Writer> = (0..6)
        .map(|n| Writer::new(sample::stream(u16::try_from(n % 2).expect("small"), n)))
        .collect();
    let mut events = 0;
    for round in 0..20 {
        let batch = writers
            .iter_mut()
            .map(|writer| writer.command("before", 2))
            .collect();
        log.append(batch, Some(sample::at(round * 1_000)))
            .await
            .expect("appended");
        events += 12;
    }
    events
}

fn all() -> Vec<Range> {
    (0..5)
        .map(|shard| Range {
            shard: ShardNumber(shard),
            after: 0,
            upto: u64::MAX,
        })
        .collect()
}

async fn lines(log: &SqliteLog, ranges: &[Range]) -> Vec<Vec<u8>> {
    let mut lines = Vec::new();
    let write = |line: &[u8]| {
        lines.push(line.to_vec());
        Ok(())
    };
    export(log, ranges, write).await.expect("exported");
    lines
}

async fn import(log: &SqliteLog, lines: &[Vec<u8>]) -> Result<Count, ArchiveError> {
    let mut importer = Importer::start(log, &lines[0]).await?;
    for line in &lines[1..] {
        importer.take(line).await?;
    }
    importer.finish().await
}

#[tokio::test]
async fn copy_should_export_the_same_bytes() {
    let (from, to) = (rig(), rig());
    let events = history(&from.log).await;
    let exported = lines(&from.log, &all()).await;
    let count = import(&to.log, &exported).await.expect("imported");
    assert_eq!(count, Count { events, known: 0 });
    assert_eq!(lines(&to.log, &all()).await, exported);
    assert_eq!(
        to.log.heads().await.expect("heads"),
        from.log.heads().await.expect("heads")
    );

    let again = import(&to.log, &exported).await.expect("imported again");
    let known = events;
    assert_eq!(
        again,
        Count { events: 0, known },
        "what is there is compared, not written"
    );
}

#[tokio::test]
async fn ranges_should_fit_together_and_gaps_be_refused() {
    let (from, to) = (rig(), rig());
    history(&from.log).await;
    let range = |after, upto| {
        vec![Range {
            shard: ShardNumber(0),
            after,
            upto,
        }]
    };
    let (head, tail) = (
        lines(&from.log, &range(0, 50)).await,
        lines(&from.log, &range(50, 90)).await,
    );
    assert_eq!((head.len(), tail.len()), (51, 41));
    let gap = import(&to.log, &tail)
        .await
        .expect_err("there is a gap")
        .to_string();
    assert!(gap.contains("line 2") && gap.contains("follows 0"), "{gap}");
    import(&to.log, &head).await.expect("the beginning");
    import(&to.log, &tail).await.expect("what follows");
    assert_eq!(to.log.heads().await.expect("heads")[&ShardNumber(0)].position, 90);
}

#[tokio::test]
async fn every_changed_byte_should_be_refused_with_its_line() {
    let from = rig();
    history(&from.log).await;
    let exported = lines(&from.log, &all()).await;
    let original = String::from_utf8(exported[3].clone()).expect("text");
    let position = "\"position\":3,";
    assert!(original.contains(position), "{original}");
    for (what, changed) in [
        (
            "a word of the payload",
            original.replacen("\"name\":\"", "\"name\":\"x", 1),
        ),
        ("the clock", original.replacen("\"hlc\":", "\"hlc\":1", 1)),
        ("a place", original.replacen(position, "\"position\":4,", 1)),
        ("half of it", original[..original.len() / 2].to_owned()),
        ("garbage", "{}".to_owned()),
    ] {
        assert_ne!(changed, original, "{what}");
        let to = rig();
        let mut lines = exported.clone();
        lines[3] = changed.into_bytes();
        let error = import(&to.log, &lines).await.expect_err(what).to_string();
        assert!(error.starts_with("line "), "{what}: {error}");
        assert!(
            to.log.heads().await.expect("heads")[&ShardNumber(0)].position <= 3,
            "{what}"
        );
    }
}

#[tokio::test]
async fn another_registry_and_another_history_should_be_refused() {
    let from = rig();
    history(&from.log).await;
    let exported = lines(&from.log, &all()).await;
    let slug = Slug::try_new("other_chain").expect("a slug");
    let foreign = with(vec![(Family::Core, 1), (Family::Chain(slug), 4)]);
    let error = import(&foreign.log, &exported)
        .await
        .expect_err("other shards")
        .to_string();
    assert!(error.contains("same families and counts"), "{error}");

    let used = rig();
    let mut writer = Writer::new(sample::stream(0, 77));
    let batch = vec![writer.command("other", 1)];
    used.log
        .append(batch, Some(sample::at(0)))
        .await
        .expect("appended");
    let error = import(&used.log, &exported)
        .await
        .expect_err("another event")
        .to_string();
    assert!(error.contains("another history"), "{error}");
    let no_header = import(&rig().log, &exported[1..])
        .await
        .expect_err("no header")
        .to_string();
    assert!(no_header.contains("line 1"), "{no_header}");
}
