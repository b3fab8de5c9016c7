//! One entry of the log as a step of the line.

use super::{Proof, Step};
use crate::figures::money;
use crate::graphql::transfer::{Entry, TransferTransfer};
use crate::sentences::{Tone, actor, outcome};
use crate::words::{Word, fill, say};

/// The step an entry makes.
pub fn step(entry: &Entry, transfer: &TransferTransfer, me: &str) -> Step {
    let (what, tone) = words(entry, transfer, me);
    let nested = match entry.type_.as_str() {
        "execution.broadcast_tried" => vec![tried(entry)],
        _ => Vec::new(),
    };
    Step {
        what,
        tone,
        at: Some(entry.occurred_at),
        proof: proof(entry),
        nested,
        next: None,
    }
}

/// An attempt to send: which node, what it said.
pub fn tried(entry: &Entry) -> String {
    let node = entry.node.as_deref().unwrap_or("?");
    let outcome = outcome(entry.outcome.as_deref().unwrap_or("?"));
    fill(Word::ProofNode, &[("node", node), ("outcome", &outcome)])
}

fn words(entry: &Entry, transfer: &TransferTransfer, me: &str) -> (String, Tone) {
    match entry.type_.split_once('.') {
        Some(("transfer", kind)) => of_transfer(kind, entry, transfer, me),
        Some(("execution", kind)) => of_execution(kind, entry, transfer),
        _ => (fill(Word::LineOther, &[("kind", &entry.type_)]), Tone::Rest),
    }
}

fn of_transfer(kind: &str, entry: &Entry, transfer: &TransferTransfer, me: &str) -> (String, Tone) {
    let by = actor(&entry.actor, me);
    let by = [("actor", by.as_str())];
    let approvals = entry.approvals.unwrap_or(0).to_string();
    let needed = transfer.approvals_needed;
    match kind {
        "requested" => (fill(Word::LineRequested, &by), Tone::Good),
        "screened" if entry.approvals_needed.unwrap_or(0) == 0 => {
            (say(Word::LineScreenedFree).into(), Tone::Good)
        }
        "screened" if entry.approvals_needed == Some(1) => (say(Word::LineScreenedOne).into(), Tone::Wait),
        "screened" => {
            let n = entry.approvals_needed.unwrap_or(0).to_string();
            (fill(Word::LineScreened, &[("n", &n)]), Tone::Wait)
        }
        "approved" if needed > 1 => {
            let values = [by[0], ("n", &approvals), ("needed", &needed.to_string())];
            (fill(Word::LineApprovedCount, &values), Tone::Good)
        }
        "approved" => (fill(Word::LineApproved, &by), Tone::Good),
        "denied" => (fill(Word::LineDenied, &by), Tone::Bad),
        "cancelled" => (fill(Word::LineCancelled, &by), Tone::Rest),
        "expired" => (say(Word::LineExpired).into(), Tone::Rest),
        "execution_started" => (say(Word::LineStarted).into(), Tone::Move),
        "completed" => (say(Word::LineCompleted).into(), Tone::Good),
        "failed" => {
            let code = entry.code.as_deref().unwrap_or("?");
            (fill(Word::LineFailed, &[("code", code)]), Tone::Bad)
        }
        "reversed" => (say(Word::LineReversed).into(), Tone::Bad),
        _ => (fill(Word::LineOther, &[("kind", &entry.type_)]), Tone::Rest),
    }
}

fn of_execution(kind: &str, entry: &Entry, transfer: &TransferTransfer) -> (String, Tone) {
    let execution = transfer.executions.iter().find(|e| e.id == entry.subject_id);
    let height = entry.block.as_ref().map_or(0, |b| b.height).to_string();
    let height = [("height", height.as_str())];
    let failed = entry.succeeded == Some(false);
    match kind {
        "queued" => (say(Word::LineQueued).into(), Tone::Move),
        "planned" => (say(Word::LinePlanned).into(), Tone::Move),
        "bound" => match execution.and_then(|e| e.slot) {
            Some(slot) => (fill(Word::LineBound, &[("slot", &slot.to_string())]), Tone::Move),
            None => (say(Word::LineBoundPlain).into(), Tone::Move),
        },
        "signed" => match entry.attempt {
            Some(n) if n > 1 => (fill(Word::LineSignedAgain, &[("n", &n.to_string())]), Tone::Move),
            _ => (say(Word::LineSigned).into(), Tone::Move),
        },
        "broadcast_tried" => (say(Word::LineSent).into(), Tone::Move),
        "seen" => (say(Word::LineSeen).into(), Tone::Move),
        "included" if failed => (fill(Word::LineIncludedFailed, &height), Tone::Bad),
        "included" => (fill(Word::LineIncluded, &height), Tone::Move),
        "detached" => (fill(Word::LineDetached, &height), Tone::Wait),
        "finalized" if failed => (fill(Word::LineFinalFailed, &height), Tone::Bad),
        "finalized" => (fill(Word::LineFinal, &height), Tone::Good),
        "stuck" => (say(Word::LineStuck).into(), Tone::Wait),
        "dead" => (say(Word::LineDead).into(), Tone::Bad),
        "reversed" => (fill(Word::LineExecutionReversed, &height), Tone::Bad),
        _ => (fill(Word::LineOther, &[("kind", &entry.type_)]), Tone::Rest),
    }
}

fn proof(entry: &Entry) -> Vec<Proof> {
    let mut proof = Vec::new();
    let mut words = |word, name, value: &Option<String>| {
        if let Some(value) = value {
            proof.push(Proof::Words(fill(word, &[(name, value)])));
        }
    };
    words(Word::ProofRule, "rule", &entry.rule);
    words(Word::ProofReason, "reason", &entry.reason);
    // A node's words belong to the attempt; elsewhere the detail is the evidence.
    if entry.outcome.is_none()
        && let Some(detail) = &entry.detail
    {
        proof.push(Proof::Words(detail.clone()));
    }
    if let Some(txid) = &entry.txid {
        proof.push(Proof::Text(Word::ProofTransaction, txid.clone()));
    }
    if let Some(digest) = &entry.digest {
        proof.push(Proof::Text(Word::ProofDigest, digest.clone()));
    }
    if let Some(block) = &entry.block {
        proof.push(Proof::Text(Word::ProofBlock, block.hash.clone()));
    }
    if let Some(fee) = &entry.fee {
        let amount = money(fee.minor, fee.decimals, &fee.symbol);
        proof.push(Proof::Words(fill(Word::ProofFee, &[("amount", &amount)])));
    }
    proof
}
