//! What a restore to an earlier moment left behind in the backup: counted and named by the same code on both logs.

use anyhow::{Context, Result, ensure};
use vaultstream_domain::ports::EventLog;
use vaultstream_domain::ports::conformance::sample::{self, Writer};
use vaultstream_event_schemas::ShardNumber;
use vaultstream_kernel::backup::{BackupEcho, Until};
use vaultstream_kernel::mark::gone::{GoneLimits, LostEvents, lost_events};

use super::bed::{Bed, open};
use super::{BOTH, restore};

async fn left(bed: &Bed, log: &dyn EventLog, limits: GoneLimits) -> Result<LostEvents> {
    let (journal, store) = open(&bed.folder())?;
    let mut echo = BackupEcho::new(journal, store);
    Ok(lost_events(log, &mut echo, limits).await?)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_restore_left_in_the_backup_should_be_named() -> Result<()> {
    for kind in BOTH {
        let mut bed = Bed::new(kind, "left").await?;
        for seconds in [0, 10, 20] {
            bed.write(seconds, "event").await?;
        }
        let mut asked = Writer::new(sample::stream(0, 99));
        let command = asked.command("asked for", 2);
        bed.log
            .append(vec![command], Some(sample::at(40_000_000)))
            .await?;
        bed.write(50, "event").await?;
        bed.back_up().await?;
        let nothing = left(&bed, &*bed.log, GoneLimits::default()).await?;
        ensure!(
            nothing.stated.events == 0 && nothing.ranges.is_empty(),
            "{kind:?}: {nothing:?}"
        );

        // As it was at 10 s.
        let moment = Until::Event {
            shard: ShardNumber(0),
            position: 2,
        };
        restore(&bed, "less", moment).await?;
        let log = bed.reopen("less").await?;
        let found = left(&bed, &*log, GoneLimits::default()).await?;
        let ranges: Vec<_> = found
            .ranges
            .iter()
            .map(|((shard, life), range)| (shard.0, *life, range.events, range.first, range.last))
            .collect();
        let lost = [(0, 1, 4, 3, 6), (1, 1, 2, 3, 4), (3, 1, 5, 4, 8), (4, 1, 2, 3, 4)];
        ensure!(ranges == lost, "{kind:?}: {ranges:?}");
        ensure!(
            (found.stated.events, found.stated.requests) == (13, 1) && !found.stated.is_cut,
            "{kind:?}: {found:?}"
        );
        let named = found.requests.first().context("it is named")?;
        ensure!(
            named.stream == asked.stream && !named.is_back,
            "{kind:?}: {named:?}"
        );

        // It is asked for again in the life that follows: it is back, and what was lost is what it was.
        let mut again = Writer {
            incarnation: 2,
            ..Writer::new(asked.stream)
        };
        let command = again.command("asked for again", 1);
        log.append(vec![command], Some(sample::at(60_000_000))).await?;
        let later = left(&bed, &*log, GoneLimits::default()).await?;
        ensure!(
            later.stated == found.stated && later.requests.iter().all(|request| request.is_back),
            "{kind:?}: {later:?}"
        );
        let limits = GoneLimits {
            events: 5,
            ..GoneLimits::default()
        };
        let cut = left(&bed, &*log, limits).await?;
        ensure!(cut.stated.is_cut && cut.stated.events == 5, "{kind:?}: {cut:?}");
    }
    Ok(())
}
