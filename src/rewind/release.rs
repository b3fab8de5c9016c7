//! `vaultstream release`: what enough operators signed is done, in an order that can be begun again anywhere.
//!
//! First every account learns which slot values are not its to give, then the release is an event of the platform, then
//! the mark is kept. Only the mark ends the quarantine, so a release that was cut off is given again.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use vaultstream_domain::execution::{MAX_LOST_AT_ONCE, RecordLostSlots};
use vaultstream_domain::platform::{ReleaseRewind, platform_organization, rewind_id};
use vaultstream_domain::{CommandContext, Transact};
use vaultstream_event_schemas::execution::v1::SlotLost;
use vaultstream_event_schemas::mark::MarkedBind;
use vaultstream_event_schemas::note::Note;
use vaultstream_event_schemas::platform::v1::RewindReleased;
use vaultstream_event_schemas::release::Release as Statement;
use vaultstream_event_schemas::{AccountId, Actor, CommandId};
use vaultstream_kernel::mark::Why;
use vaultstream_kernel::mark::release::{check, end, signed};
use vaultstream_workflows::reconcile::reconcile;

use super::operator::read;
use super::reconcile::is_unmarked;
use super::{Installation, Release};

/// The actor of what is written here.
const ACTOR: &str = "release";

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
    let found = reconcile(&here.ports, &here.chains).await?;
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
    check(&here.ports, &stated, &found.statement).await?;
    remember(here, &found.lost.binds).await?;
    record(here, &stated, &names).await?;
    let mark = end(&here.ports, &found.looked, &stated).await?;
    println!(
        "released by {}: mark {mark}, {} slot values are remembered",
        names.join(", "),
        stated.lost
    );
    Ok(true)
}

/// Tells every account what it has forgotten.
async fn remember(here: &Installation<'_>, lost: &[MarkedBind]) -> Result<()> {
    let mut accounts: BTreeMap<AccountId, Vec<&MarkedBind>> = BTreeMap::new();
    for bind in lost {
        accounts.entry(bind.account).or_default().push(bind);
    }
    for (account, binds) in accounts {
        for some in binds.chunks(MAX_LOST_AT_ONCE) {
            let Some(first) = some.first() else { continue };
            let forgotten = some.iter().map(|bind| SlotLost {
                digest: bind.digest.clone(),
                execution: bind.execution,
                plan: bind.plan.clone(),
            });
            let use_case = RecordLostSlots {
                account,
                organization: first.organization,
                vault: first.vault,
                lost: forgotten.collect(),
            };
            let done = execute(here, use_case).await;
            done.with_context(|| format!("account {account} cannot be told what it has forgotten"))?;
        }
    }
    Ok(())
}

/// Writes the release into the log.
async fn record(here: &Installation<'_>, stated: &Statement, names: &[String]) -> Result<()> {
    let registry = here.ports.log.registry();
    let statement = stated.hash();
    let use_case = ReleaseRewind {
        id: rewind_id(&registry, &statement),
        organization: platform_organization(&registry),
        released: RewindReleased {
            lost: stated.lost,
            mark: stated
                .mark
                .map_or_else(|| "none".to_owned(), |mark| mark.to_string()),
            operators: names.to_vec(),
            statement: statement.iter().map(|byte| format!("{byte:02x}")).collect(),
        },
    };
    execute(here, use_case)
        .await
        .context("the release cannot be recorded")
}

async fn execute(here: &Installation<'_>, use_case: impl Transact + 'static) -> Result<()> {
    let context = CommandContext {
        actor: Actor::system(ACTOR),
        command: CommandId::from_uuid(here.assembly.ids.next()),
        causation: None,
        trace: None,
    };
    here.assembly
        .executor
        .execute(context, Arc::new(use_case))
        .await?;
    Ok(())
}
