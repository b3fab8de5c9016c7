//! Archives: a file that an operator was given and imports.

use tempfile::TempDir;
use tokio::runtime::Runtime;
use vaultstream_domain::ports::EventLog;
use vaultstream_domain::ports::conformance::sample::{self, Writer};
use vaultstream_event_schemas::ShardNumber;
use vaultstream_infra_sqlite::{Options, SqliteLog};
use vaultstream_kernel::archive::{ArchiveError, Importer, Range, export};

use crate::harness::{Target, Verdict, holds};

fn log(dir: &TempDir, name: &str) -> SqliteLog {
    SqliteLog::open(&Options::new(dir.path().join(name), sample::families())).expect("a log")
}

/// An archive of a few events in two shards.
async fn archive(log: &SqliteLog) -> Vec<u8> {
    let mut ranges = Vec::new();
    for shard in [0, 1] {
        let mut writer = Writer::new(sample::stream(shard, 1));
        let batch = (0..3).map(|n| writer.command(&format!("name {n}"), 1)).collect();
        log.append(batch, Some(sample::at(1_000)))
            .await
            .expect("appended");
        let shard = ShardNumber(shard);
        ranges.push(Range {
            shard,
            after: 0,
            upto: 3,
        });
    }
    let mut file = Vec::new();
    export(log, &ranges, |line| {
        file.extend_from_slice(line);
        file.push(b'\n');
        Ok(())
    })
    .await
    .expect("exported");
    file
}

async fn imported(log: &SqliteLog, file: &[u8]) -> Verdict {
    let mut lines = file.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let named = |error: &ArchiveError| match error {
        ArchiveError::Line { line, fault } => {
            holds!(
                *line > 0 && !fault.is_empty() && fault.len() < 100_000,
                "line {line}: {fault}"
            );
            Ok(())
        }
        other => Err(format!("a bad file is no fault of the log: {other}")),
    };
    let mut importer = match Importer::start(log, lines.next().unwrap_or_default()).await {
        Ok(importer) => importer,
        Err(error) => return named(&error),
    };
    for line in lines {
        if let Err(error) = importer.take(line).await {
            return named(&error);
        }
    }
    // What follows on what is there is a history as good as any.
    importer.finish().await.map(drop).or_else(|error| named(&error))
}

#[test]
fn archives_should_be_taken_or_refused_with_their_line() {
    let (dir, runtime) = (
        TempDir::new().expect("a directory"),
        Runtime::new().expect("a runtime"),
    );
    let file = runtime.block_on(archive(&log(&dir, "from.db")));
    let to = log(&dir, "to.db");
    let target = Target::new("archives").with(vec![file]).one_in(2);
    target.fuzz(|bytes| runtime.block_on(imported(&to, bytes)));
}
