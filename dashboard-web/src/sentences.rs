//! Public events, transfers and states as sentences. An event this build does not know is shown by its type, never left
//! out.

use crate::figures::{elided, ending, money};
use crate::graphql::{Amount, EventRow, TransferRow};
use crate::words::{Word, fill, say};
use vaultstream_event_schemas::status::{AccountStatus, ExecutionStatus, TransferStatus, VaultStatus};
use vaultstream_event_schemas::vault::v1::Tier;

/// What a state means to the eye.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// Waits for someone.
    Wait,
    /// On its way.
    Move,
    /// Done.
    Good,
    /// Wrong.
    Bad,
    /// Over, without good or bad.
    Rest,
}

impl Tone {
    /// Its class in the style sheet.
    pub const fn class(self) -> &'static str {
        match self {
            Self::Wait => "tone-wait",
            Self::Move => "tone-move",
            Self::Good => "tone-good",
            Self::Bad => "tone-bad",
            Self::Rest => "tone-rest",
        }
    }
}

/// Looks up what sentences speak of.
pub struct Names<'a> {
    /// Who asks, as events write it.
    pub me: &'a str,
    /// An amount of an asset, by its CAIP-19 name.
    pub money: &'a dyn Fn(&str, Amount) -> String,
    /// A chain's name, by its CAIP-2 name.
    pub chain: &'a dyn Fn(&str) -> String,
}

/// Who did something: `key:key_…`, `session:ses_…`, `system:…`.
pub fn actor(text: &str, me: &str) -> String {
    if text == me {
        return say(Word::ActorYou).to_owned();
    }
    match text.split_once(':') {
        Some(("key", id)) => fill(Word::ActorKey, &[("end", &ending(id))]),
        Some(("session", id)) => fill(Word::ActorSession, &[("end", &ending(id))]),
        Some(("system", part)) => fill(Word::ActorSystem, &[("part", &part.replace('_', " "))]),
        _ => text.to_owned(),
    }
}

/// A sentence begins with a capital letter, whoever it begins with.
pub fn capital(text: String) -> String {
    let mut letters = text.chars();
    match letters.next() {
        Some(first) if first.is_lowercase() => first.to_uppercase().chain(letters).collect(),
        _ => text,
    }
}

/// How a transfer's state is called and meant.
pub const fn transfer(status: TransferStatus) -> (Word, Tone) {
    use TransferStatus as S;
    match status {
        S::Requested => (Word::TransferRequested, Tone::Move),
        S::Screening => (Word::TransferScreening, Tone::Move),
        S::AwaitingApproval => (Word::TransferAwaiting, Tone::Wait),
        S::Approved => (Word::TransferApproved, Tone::Move),
        S::Executing => (Word::TransferExecuting, Tone::Move),
        S::Completed => (Word::TransferCompleted, Tone::Good),
        S::Failed => (Word::TransferFailed, Tone::Bad),
        S::Rejected => (Word::TransferRejected, Tone::Bad),
        S::Cancelled => (Word::TransferCancelled, Tone::Rest),
        S::Expired => (Word::TransferExpired, Tone::Rest),
        S::Reversed => (Word::TransferReversed, Tone::Bad),
    }
}

/// How an execution's state is called.
pub const fn execution(status: ExecutionStatus) -> Word {
    use ExecutionStatus as S;
    match status {
        S::Queued => Word::StageQueued,
        S::Planned => Word::StagePlanned,
        S::Bound => Word::StageBound,
        S::Signed => Word::StageSigned,
        S::Broadcasting => Word::StageBroadcasting,
        S::Seen => Word::StageSeen,
        S::Unknown => Word::StageUnknown,
        S::Included => Word::StageIncluded,
        S::Stuck => Word::StageStuck,
        S::Replacing => Word::StageReplacing,
        S::Cancelling => Word::StageCancelling,
        S::Finalized => Word::StageFinalized,
        S::Superseded => Word::StageSuperseded,
        S::Dead => Word::StageDead,
        S::Reversed => Word::StageReversed,
    }
}

/// How a vault's state is called and meant.
pub const fn vault(status: VaultStatus) -> (Word, Tone) {
    match status {
        VaultStatus::Active => (Word::VaultActive, Tone::Good),
        VaultStatus::Archived => (Word::VaultArchived, Tone::Rest),
    }
}

/// How an account's state is called and meant.
pub const fn account(status: AccountStatus) -> (Word, Tone) {
    match status {
        AccountStatus::Opening => (Word::AccountOpening, Tone::Move),
        AccountStatus::Open => (Word::AccountOpen, Tone::Good),
        AccountStatus::Frozen => (Word::AccountFrozen, Tone::Wait),
        AccountStatus::Closed => (Word::AccountClosed, Tone::Rest),
    }
}

/// How a tier is called.
pub const fn tier(tier: Tier) -> Word {
    match tier {
        Tier::Hot => Word::TierHot,
        Tier::Warm => Word::TierWarm,
        Tier::Cold => Word::TierCold,
    }
}

/// Where a transfer is: its latest execution's stage while it moves.
pub fn stage(row: &TransferRow) -> String {
    match row.executions.last() {
        Some(latest) if row.status == TransferStatus::Executing => fill(
            execution(latest.status),
            &[("n", &latest.confirmations.to_string())],
        ),
        _ => say(transfer(row.status).0).to_owned(),
    }
}

/// Whether a person should look at a moving transfer.
pub fn is_troubled(row: &TransferRow) -> bool {
    let latest = row.executions.last();
    !row.status.is_terminal()
        && latest.is_some_and(|e| matches!(e.status, ExecutionStatus::Stuck | ExecutionStatus::Unknown))
}

/// A transfer in one line.
pub fn transfer_line(row: &TransferRow) -> String {
    let amount = money(row.amount.minor, row.amount.decimals, &row.amount.symbol);
    let to = elided(&row.destination);
    fill(
        Word::TransferSentence,
        &[("amount", &amount), ("from", &row.vault.name), ("to", &to)],
    )
}

/// How a node's answer is called.
pub fn outcome(text: &str) -> String {
    let word = match text {
        "accepted" => Word::OutcomeAccepted,
        "already_known" => Word::OutcomeKnown,
        "rejected" => Word::OutcomeRejected,
        "contested" => Word::OutcomeContested,
        "fee_too_low" => Word::OutcomeFee,
        "too_early" => Word::OutcomeEarly,
        "ambiguous" => Word::OutcomeAmbiguous,
        other => return other.to_owned(),
    };
    say(word).to_owned()
}

/// The sentence an event's type has.
fn event_word(event: &EventRow) -> Word {
    match event.type_.as_str() {
        "transfer.requested" => Word::EventTransferRequested,
        "transfer.screened" => Word::EventTransferScreened,
        "transfer.approved" => Word::EventTransferApproved,
        "transfer.rejected" => Word::EventTransferRejected,
        "transfer.cancelled" => Word::EventTransferCancelled,
        "transfer.expired" => Word::EventTransferExpired,
        "transfer.executing" => Word::EventTransferExecuting,
        "transfer.completed" => Word::EventTransferCompleted,
        "transfer.failed" => Word::EventTransferFailed,
        "transfer.reversed" => Word::EventTransferReversed,
        "execution.planned" => Word::EventExecutionPlanned,
        "execution.bound" => Word::EventExecutionBound,
        "execution.signed" => Word::EventExecutionSigned,
        "execution.broadcast_tried" => Word::EventExecutionTried,
        "execution.seen" => Word::EventExecutionSeen,
        "execution.included" => Word::EventExecutionIncluded,
        "execution.detached" => Word::EventExecutionDetached,
        "execution.finalized" => Word::EventExecutionFinalized,
        "execution.stuck" => Word::EventExecutionStuck,
        "execution.dead" => Word::EventExecutionDead,
        "execution.reversed" => Word::EventExecutionReversed,
        "vault.created" => Word::EventVaultCreated,
        "vault.renamed" => Word::EventVaultRenamed,
        "vault.account_added" => Word::EventVaultAccount,
        "vault.archived" => Word::EventVaultArchived,
        "account.opened" => Word::EventAccountOpened,
        "account.balance_observed" => Word::EventBalance,
        "account.frozen" => Word::EventAccountFrozen,
        "account.unfrozen" => Word::EventAccountUnfrozen,
        "account.closed" => Word::EventAccountClosed,
        "organization.registered" => Word::EventOrganizationRegistered,
        "organization.renamed" => Word::EventOrganizationRenamed,
        "organization.approval_changed" if event.data.approval.as_deref() == Some("none") => {
            Word::EventApprovalNone
        }
        "organization.approval_changed" => Word::EventApprovalOne,
        "organization.suspended" | "organization.reactivated" | "organization.closed" => {
            Word::EventOrganizationOther
        }
        "api_key.issued" => Word::EventKeyIssued,
        "api_key.scopes_reduced" => Word::EventKeyReduced,
        "api_key.revoked" => Word::EventKeyRevoked,
        "session.opened" => Word::EventSessionOpened,
        "session.revoked" => Word::EventSessionRevoked,
        "audit.events_read" => Word::EventRead,
        "organization.contact_erased" | "transfer.memo_erased" => Word::EventErased,
        _ => Word::EventOther,
    }
}

/// An event as a sentence.
pub fn event(event: &EventRow, names: &Names<'_>) -> String {
    let data = &event.data;
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let minor = data.amount.or(data.minor).unwrap_or(Amount::ZERO);
    let amount = data
        .asset
        .as_deref()
        .map_or_else(String::new, |asset| (names.money)(asset, minor));
    let vault = event
        .vault_name
        .clone()
        .unwrap_or_else(|| say(Word::SomeVault).to_owned());
    let height = data.block.as_ref().map_or(0, |b| b.height).to_string();
    let chain = data.chain.as_deref().map_or_else(String::new, names.chain);
    capital(fill(
        event_word(event),
        &[
            ("actor", &actor(&event.actor, names.me)),
            ("amount", &amount),
            ("vault", &vault),
            ("to", &elided(&text(&data.destination))),
            ("address", &elided(&text(&data.address))),
            ("block", &height),
            ("chain", &chain),
            ("code", &text(&data.code)),
            ("reason", &text(&data.reason)),
            ("name", &text(&data.name)),
            ("outcome", &outcome(&text(&data.outcome))),
            ("kind", &event.type_),
        ],
    ))
}

/// Where an event's sentence leads.
pub fn event_link(event: &EventRow) -> Option<String> {
    let id = &event.subject_id;
    match id.split('_').next()? {
        "trf" => Some(format!("/transfers/{id}")),
        "exe" => Some(format!("/executions/{id}")),
        "vlt" => Some(format!("/vaults/{id}")),
        _ => event.vault_id.as_ref().map(|vault| format!("/vaults/{vault}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vaultstream_event_schemas::public_event::public_types;

    fn names() -> Names<'static> {
        Names {
            me: "session:ses_me",
            money: &|_, minor| money(minor, 18, "ETH"),
            chain: &|id| format!("chain {id}"),
        }
    }

    fn row(kind: &str, data: &str) -> EventRow {
        serde_json::from_str(&format!(
            r#"{{"id":"trf_1/1","type":"{kind}","occurredAt":"2026-11-21T10:00:00Z","actor":"session:ses_me","vaultId":"vlt_1",
                "vaultName":"Operations","subjectId":"trf_1","shard":1,"position":2,"data":{data}}}"#
        ))
        .expect("an event")
    }

    #[test]
    fn every_public_type_should_have_its_own_sentence() {
        for kind in public_types() {
            let sentence = event(&row(kind, "{}"), &names());
            assert!(!sentence.contains('{'), "{kind}: {sentence}");
            assert_ne!(event_word(&row(kind, "{}")), Word::EventOther, "{kind}");
        }
        assert_eq!(
            event(&row("comet.seen", "{}"), &names()),
            "Comet.seen",
            "never left out"
        );
    }

    #[test]
    fn sentences_should_say_who_what_and_where() {
        let data = r#"{"amount":"1250000000000000000","asset":"eip155:1/slip44:60","destination":"0x52908400098527886E0F7030069857D2E4169EE7"}"#;
        assert_eq!(
            event(&row("transfer.requested", data), &names()),
            "You requested 1.25 ETH from Operations to 0x529084…9EE7"
        );
        assert_eq!(
            event(
                &row(
                    "transfer.completed",
                    r#"{"block":{"hash":"0x1","height":"9007199254740993"}}"#
                ),
                &names()
            ),
            "A transfer of Operations completed in block 9007199254740993"
        );
    }

    #[test]
    fn actors_should_be_told_apart_by_their_ending() {
        assert_eq!(actor("key:key_0abcd", "x"), "API key …abcd");
        assert_eq!(
            actor("system:settle_execution", "x"),
            "Vaultstream (settle execution)"
        );
        assert_eq!(actor("strange", "x"), "strange");
    }

    #[test]
    fn links_should_lead_to_what_it_is_about() {
        let mut e = row("transfer.requested", "{}");
        assert_eq!(event_link(&e).as_deref(), Some("/transfers/trf_1"));
        e.subject_id = "acc_1".into();
        assert_eq!(event_link(&e).as_deref(), Some("/vaults/vlt_1"));
        e.vault_id = None;
        assert_eq!(event_link(&e), None);
    }
}
