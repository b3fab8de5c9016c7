//! `vaultstream release`: what enough operators signed is done, in an order that can be begun again anywhere.
//!
//! First every account learns which slot values are not its to give, then the release is an event of the platform, then
//! the mark is kept. Only the mark ends the quarantine, so a release that was cut off is given again.

use anyhow::{Context, Result, bail, ensure};
use vaultstream_event_schemas::note::Note;
use vaultstream_kernel::mark::Why;
use vaultstream_kernel::mark::release::{check, end, signed};
use vaultstream_workflows::release::WriteRelease;

use super::operator::read;
use super::reconcile::{is_unmarked, look};
use super::{Installation, Release};

/// Releases the log; there is nothing to do when it holds its mark.
pub async fn run(options: &Release, here: &Installation<'_>) -> Result<bool> {
    let operators = here.config.operators.public_keys()?;
    ensure!(
        !operators.all().is_empty(),
        "no operators are configured: name some in operators.keys, and how many have to sign in operators.threshold"
    );
    let mut notes = Vec::with_capacity(options.signed.len());
    for path in &options.signed {
        let note = Note::parse(&read(path)?);
        notes.push(note.with_context(|| format!("{} is no signed statement", path.display()))?);
    }
    let (stated, names) = signed(&notes, &operators, here.config.operators.threshold)?;
    let (found, left) = look(here).await?;
    let rewound = found.looked.rewound.as_ref();
    if rewound.is_none() && !is_unmarked(here, &found) {
        println!("the log holds its mark: there is nothing to release");
        return Ok(true);
    }
    if let Some(foreign) = rewound
        .iter()
        .flat_map(|rewound| &rewound.why)
        .find(|why| matches!(why, Why::Foreign(_)))
    {
        bail!("{foreign}");
    }
    if let Some(remedy) = left.remedy().filter(|_| stated.gone.is_some()) {
        bail!("the statement counts what another place still has, and it is not read now: {remedy}");
    }
    check(&here.ports, &stated, &found.statement).await?;
    let registry = here.ports.log.registry();
    let writing = WriteRelease {
        registry: &registry,
        commands: &here.assembly.executor,
        ids: &*here.assembly.ids,
    };
    writing.write(&found.lost.binds, &stated, &names).await?;
    let mark = end(&here.ports, &found.looked, &stated).await?;
    println!(
        "released by {}: mark {mark}, {} slot values are remembered",
        names.join(", "),
        stated.lost
    );
    Ok(true)
}
