//! Backup and restore of both logs: the same claims on SQLite and on PostgreSQL, through the same code.

mod bed;
mod left;
mod wal;

use anyhow::{Context, Result, ensure};
use vaultstream_domain::ports::conformance::sample;
use vaultstream_domain::ports::event_log::AppendOutcome;
use vaultstream_event_schemas::{ShardNumber, Timestamp};
use vaultstream_kernel::audit::{Chain, Fault};
use vaultstream_kernel::backup::{BackupError, RestoredLog, Until, put_back, verify};

use crate::lines;
use bed::{Bed, Kind, audited, now, open};

const BOTH: [Kind; 2] = [Kind::Embedded, Kind::Cluster];

async fn restore(bed: &Bed, name: &str, until: Until) -> Result<RestoredLog> {
    let (journal, store) = open(&bed.folder())?;
    let chain = bed.chain().await?;
    let mut target = bed.target(name).await?;
    Ok(put_back(&journal, &store, &mut *target, &chain, until).await?)
}

#[tokio::test(flavor = "multi_thread")]
async fn log_should_come_back_byte_for_byte_and_live_its_next_life() -> Result<()> {
    for kind in BOTH {
        let mut bed = Bed::new(kind, "round").await?;
        for n in 0..10 {
            bed.write(n, "before").await?;
        }
        bed.seal(&bed.log).await?;
        let first = bed.back_up().await?;
        ensure!(first.events == 50, "{kind:?}: {first:?}");
        let nothing = bed.back_up().await?;
        ensure!((nothing.events, nothing.bytes) == (0, 0), "{kind:?}: {nothing:?}");
        let segment = bed.folder().join("segment-000001.jsonl");
        let before = std::fs::read(&segment)?;
        bed.write(20, "after").await?;
        let second = bed.back_up().await?;
        ensure!(second.events == 5, "{kind:?}: only what is new: {second:?}");
        let after = std::fs::read(&segment)?;
        ensure!(
            after.starts_with(&before) && after.len() as u64 == before.len() as u64 + second.bytes,
            "{kind:?}: what was there is left as it was"
        );

        let restored = restore(&bed, "again", Until::Newest).await?;
        ensure!(restored.events() == 55, "{kind:?}: {restored:?}");
        let log = bed.reopen("again").await?;
        ensure!(
            lines(&*log, 0..100).await? == lines(&*bed.log, 0..100).await?,
            "{kind:?}: it is not the same log"
        );
        let heads = log.heads().await?;
        ensure!(
            heads.values().all(|head| head.incarnation == 2),
            "{kind:?}: {heads:?}"
        );
        // The next event belongs to the next life; one that was decided in the life before is refused.
        let mut writer = sample::Writer::new(sample::stream(0, 77));
        let old = log.append(vec![writer.command("too late", 1)], None).await;
        ensure!(old.is_err(), "{kind:?}: {old:?}");
        let mut writer = sample::Writer {
            incarnation: 2,
            ..sample::Writer::new(sample::stream(0, 78))
        };
        let new = log.append(vec![writer.command("in time", 1)], None).await?;
        ensure!(
            matches!(new[..], [AppendOutcome::Committed { first: 12, .. }]),
            "{kind:?}: {new:?}"
        );
        // Only into an empty one.
        drop(log);
        let (journal, store) = open(&bed.folder())?;
        let mut full: Box<dyn vaultstream_domain::ports::RestoreTarget> = match kind {
            Kind::Embedded => Box::new(vaultstream_infra_sqlite::SqliteTarget::open(
                &bed.dir.path().join("again"),
            )?),
            Kind::Cluster => continue,
        };
        let refused = put_back(&journal, &store, &mut *full, &bed.chain().await?, Until::Newest).await;
        ensure!(matches!(refused, Err(BackupError::Log(_))), "{refused:?}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn cut_to_a_moment_should_be_declared_and_any_other_cut_be_tampering() -> Result<()> {
    for kind in BOTH {
        let mut bed = Bed::new(kind, "moment").await?;
        for n in 0..6 {
            bed.write(n * 10, "event").await?;
            if n % 2 == 0 {
                bed.seal(&bed.log).await?;
            }
        }
        bed.back_up().await?;
        let at = |us| Until::Time(Timestamp::from_micros(sample::at(us).as_micros()));
        // Between the events of 20 s and of 30 s; the two of shard 3 are four microseconds apart.
        let restored = restore(&bed, "cut", at(29_999_999)).await?;
        let kept: Vec<_> = restored.shards.iter().map(|s| (s.shard.0, s.kept)).collect();
        ensure!(
            kept == [(0, 3), (1, 3), (2, 0), (3, 6), (4, 3)],
            "{kind:?}: {kept:?}"
        );
        let event = restore(
            &bed,
            "event",
            Until::Event {
                shard: ShardNumber(0),
                position: 2,
            },
        )
        .await?;
        let kept: Vec<_> = event.shards.iter().map(|s| s.kept).collect();
        ensure!(kept == [2, 2, 0, 3, 2], "{kind:?}: {kept:?}");
        for (name, until, refused) in [
            ("late", Until::Time(now()), "surely holds"),
            (
                "beyond",
                Until::Event {
                    shard: ShardNumber(0),
                    position: 99,
                },
                "not in this backup",
            ),
        ] {
            let said = restore(&bed, name, until).await.expect_err("beyond").to_string();
            ensure!(said.contains(refused), "{kind:?}: {said}");
        }

        // Not sealed yet, the cut is tampering; the first checkpoint of the next life declares it.
        let log = bed.reopen("cut").await?;
        let found = audited(&log, &bed.chain().await?).await?.findings;
        ensure!(
            found.len() == 4 && found.iter().all(|f| matches!(f.fault, Fault::Cut { .. })),
            "{kind:?}: {found:?}"
        );
        bed.seal(&log).await?;
        let chain = bed.chain().await?;
        let losses = &chain.newest().context("sealed")?.losses;
        let declared: Vec<_> = losses
            .iter()
            .map(|l| (l.shard.0, l.incarnation, l.kept))
            .collect();
        ensure!(
            declared == [(0, 1, 3), (1, 1, 3), (2, 1, 0), (3, 1, 6), (4, 1, 3)],
            "{kind:?}: {declared:?}"
        );
        let report = audited(&log, &chain).await?;
        ensure!(report.findings.is_empty(), "{kind:?}: {:?}", report.findings);
        let lost: u64 = report.shards[0]
            .lost
            .iter()
            .map(|lost| lost.sealed - lost.kept)
            .sum();
        ensure!(lost == 2, "{kind:?}: {:?}", report.shards[0]);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn log_put_back_by_other_means_should_be_compared_where_it_stands() -> Result<()> {
    for kind in BOTH {
        let mut bed = Bed::new(kind, "declared").await?;
        for n in 0..3 {
            bed.write(n, "event").await?;
        }
        bed.seal(&bed.log).await?;
        let same = verify(&mut *bed.source()?, &bed.chain().await?).await?;
        ensure!(
            same.shards
                .iter()
                .all(|s| (s.ended, s.life, s.kept) == (1, 2, s.sealed)),
            "{kind:?}: {same:?}"
        );
        // A life that checkpoints have seen is not begun again.
        restore_again(&mut bed).await?;
    }
    Ok(())
}

/// Restored twice from one backup: the second life is not the first one's again.
async fn restore_again(bed: &mut Bed) -> Result<()> {
    bed.back_up().await?;
    restore(bed, "first", Until::Newest).await?;
    let log = bed.reopen("first").await?;
    bed.seal(&log).await?;
    drop(log);
    let again = restore(bed, "second", Until::Newest).await?;
    ensure!(
        again.shards.iter().all(|s| (s.ended, s.life) == (1, 3)),
        "{again:?}"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn backup_that_was_laid_hands_on_should_be_refused() -> Result<()> {
    let mut bed = Bed::new(Kind::Embedded, "tampered").await?;
    for n in 0..4 {
        bed.write(n, "event").await?;
    }
    bed.seal(&bed.log).await?;
    bed.back_up().await?;
    // A byte in a segment; a segment that is gone; a line of the journal.
    let segment = bed.folder().join("segment-000001.jsonl");
    let whole = std::fs::read(&segment)?;
    let mut changed = whole.clone();
    changed[200] ^= 1;
    std::fs::write(&segment, &changed)?;
    let said = restore(&bed, "byte", Until::Newest)
        .await
        .expect_err("a byte")
        .to_string();
    ensure!(said.contains("its hash is another"), "{said}");
    std::fs::remove_file(&segment)?;
    let said = restore(&bed, "gone", Until::Newest)
        .await
        .expect_err("gone")
        .to_string();
    ensure!(said.contains("cut or gone"), "{said}");
    std::fs::write(&segment, &whole)?;
    let journal = bed.folder().join("backup.journal");
    let mut lines = std::fs::read(&journal)?;
    lines[80] ^= 1;
    std::fs::write(&journal, &lines)?;
    let said = open(&bed.folder()).err().context("a line")?.to_string();
    ensure!(said.contains("line 1"), "{said}");

    // A backup whose hashes are all right, of a log with another history.
    let mut other = Bed::new(Kind::Embedded, "other").await?;
    for n in 0..4 {
        other.write(n, "forged").await?;
    }
    other.back_up().await?;
    let (journal, store) = open(&other.folder())?;
    let mut target = other.target("forged").await?;
    let chain: Chain = bed.chain().await?;
    let refused = put_back(&journal, &store, &mut *target, &chain, Until::Newest).await;
    ensure!(matches!(refused, Err(BackupError::Tampered(_))), "{refused:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn log_that_does_not_continue_its_backup_should_not_be_added() -> Result<()> {
    let mut bed = Bed::new(Kind::Embedded, "continued").await?;
    bed.write(0, "event").await?;
    bed.back_up().await?;
    let mut other = Bed::new(Kind::Embedded, "instead").await?;
    other.write(0, "another").await?;
    other.write(1, "another").await?;
    let before = std::fs::read(bed.folder().join("backup.journal"))?;
    let folder = std::sync::Arc::new(vaultstream_infra_runtime::BackupFolder::open(&bed.folder())?);
    let mut backup = vaultstream_kernel::backup::Backup::open(folder.clone(), bed::ORIGIN)?;
    let refused = backup.run(&mut *other.source()?, now()).await;
    ensure!(
        matches!(refused, Err(BackupError::NotContinued { position: 1, .. })),
        "{refused:?}"
    );
    ensure!(
        std::fs::read(bed.folder().join("backup.journal"))? == before,
        "nothing was added"
    );
    let foreign = vaultstream_kernel::backup::Backup::open(folder, "vaultstream/another/log");
    ensure!(matches!(foreign, Err(BackupError::Foreign { .. })));
    Ok(())
}
