//! Asking until there is a clear answer.

use std::sync::Arc;

use vaultstream_domain::ports::{Clock, Ids};
use vaultstream_domain::{CommandContext, Transact};
use vaultstream_event_schemas::{Actor, CommandId};
use vaultstream_kernel::{Committed, ExecuteError};

use super::record::Ack;
use super::{LOOK_MS, People};

/// How long an answer is waited for, in milliseconds.
const PATIENCE_MS: u64 = 4_000;

impl People {
    /// Asks a process, and another one, until it is done or refused. Answers whether it was done.
    pub(super) async fn ask(&self, use_case: Arc<dyn Transact>) -> bool {
        let command = CommandId::from_uuid(self.here.next());
        self.until_clear(command, use_case, false).await
    }

    /// The same for requests and what is decided about them, under a command that may have been sent before: a process that is in
    /// quarantine refuses it for the time being.
    pub(super) async fn ask_to_pay(&self, command: CommandId, use_case: Arc<dyn Transact>) -> bool {
        self.until_clear(command, use_case, true).await
    }

    async fn until_clear(&self, command: CommandId, use_case: Arc<dyn Transact>, pays: bool) -> bool {
        let name = use_case.name();
        loop {
            match self.once(command, &use_case, pays).await {
                Some(Ok(committed)) => {
                    self.world.sim.note("ack", format_args!("{name}"));
                    self.record.acknowledged(Ack {
                        command,
                        name,
                        events: committed.events,
                    });
                    return true;
                }
                Some(Err(ExecuteError::Refused(why))) => {
                    self.world.sim.note("refusal", format_args!("{name}: {why}"));
                    return false;
                }
                Some(Err(why)) => self.world.sim.note("unclear", format_args!("{name}: {why}")),
                None => {}
            }
            self.here.sleep_ms(LOOK_MS).await;
        }
    }

    /// Asks one process once; none when there is none, or it takes too long.
    async fn once(
        &self,
        command: CommandId,
        use_case: &Arc<dyn Transact>,
        pays: bool,
    ) -> Option<Result<Committed, ExecuteError>> {
        let door = self.world.door()?;
        if pays && (door.marks.quarantine().is_some() || door.marks.is_unseen()) {
            let name = use_case.name();
            self.world.sim.note("quarantined", format_args!("{name}"));
            return None;
        }
        let context = CommandContext {
            actor: Actor::system("people"),
            command,
            causation: None,
            trace: None,
        };
        tokio::select! {
            biased;
            answer = door.executor.execute(context, use_case.clone()) => Some(answer),
            () = self.here.sleep_ms(PATIENCE_MS) => None,
        }
    }
}
