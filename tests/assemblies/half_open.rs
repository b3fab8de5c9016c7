//! A peer that has vanished under the lists of notes: connections at rest are asked before they are used, so what is kept
//! next is kept over a new one.

use anyhow::{Context, Result};
use vaultstream_domain::ports::NoteList;
use vaultstream_domain::ports::conformance::note_list::sample;
use vaultstream_domain::ports::note_list::NoteKind;
use vaultstream_infra_postgres::{Migrate, PgNoteList};
use vaultstream_rig::Link;

#[tokio::test(flavor = "multi_thread")]
async fn notes_should_be_kept_when_their_connections_are_half_open() -> Result<()> {
    let url = crate::database("vs_half_open").await?;
    let address = url
        .split(['@', '/'])
        .nth_back(1)
        .context("the url names a server")?;
    let link = Link::to(address).await?;
    let url = url.replace(address, &link.address().to_string());
    let checkpoints = PgNoteList::open(&url, "assemblies", Migrate::Apply).await?;
    let marks = checkpoints.marks(Migrate::Apply).await?;
    for (kind, list) in [(NoteKind::Checkpoint, &checkpoints), (NoteKind::Mark, &marks)] {
        list.append(&sample(kind, 1, 0)).await?;
        link.half_open();
        list.append(&sample(kind, 2, 0)).await?;
        assert_eq!(list.newest().await?, Some(sample(kind, 2, 0)));
    }
    Ok(())
}
