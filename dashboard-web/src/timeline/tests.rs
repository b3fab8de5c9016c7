//! Given a transfer's entries, then this line.

use super::*;

fn entry(kind: &str, extra: &str) -> String {
    let fields = [
        "txid",
        "block",
        "fee",
        "outcome",
        "node",
        "attempt",
        "digest",
        "approvals",
        "approvalsNeeded",
        "rule",
        "reason",
        "code",
        "detail",
        "succeeded",
    ];
    let nulls: Vec<String> = fields
        .iter()
        .filter(|f| !extra.contains(&format!("\"{f}\"")))
        .map(|f| format!("\"{f}\":null"))
        .collect();
    let extra = if extra.is_empty() {
        String::new()
    } else {
        format!(",{extra}")
    };
    format!(
        r#"{{"id":"x/{kind}","subjectId":"trf_1","sequence":1,"type":"{kind}","occurredAt":"2026-11-21T10:00:00Z",
            "actor":"session:ses_1","shard":2,"position":3,"hash":"aa","previousHash":"bb",{}{extra}}}"#,
        nulls.join(",")
    )
}

fn transfer(status: &str, execution: Option<&str>, entries: &[String]) -> TransferTransfer {
    let terminal = !matches!(
        status,
        "requested" | "screening" | "awaiting_approval" | "approved" | "executing"
    );
    let executions = execution.map_or_else(String::new, |status| {
        format!(
            r#"{{"id":"exe_1","status":"{status}","slot":4,"txid":null,"attempts":1,"confirmations":3,"block":null,"lastError":null}}"#
        )
    });
    let text = format!(
        r#"{{"id":"trf_1","status":"{status}","terminal":{terminal},"vaultId":"vlt_1","vault":{{"name":"Operations"}},
            "account":{{"address":"0xaa"}},"chain":{{"id":"eip155:31337","name":"Sandbox","sandbox":true}},
            "amount":{{"asset":"eip155:31337/slip44:60","minor":"5","decimals":18,"symbol":"ETH"}},"destination":"0xbb",
            "feeMax":null,"fee":null,"externalId":null,"memo":null,"memoErased":false,"requestedAt":"2026-11-21T10:00:00Z","requestedBy":"session:ses_1",
            "expiresAt":"2026-11-22T10:00:00Z","rule":null,"approvalsNeeded":1,"approvals":0,"reason":null,"version":1,
            "failure":null,"executions":[{executions}],"timeline":{{"nodes":[{}],"pageInfo":{{"hasPreviousPage":false}}}}}}"#,
        entries.join(",")
    );
    serde_json::from_str(&text).expect("a transfer")
}

fn drawn(transfer: &TransferTransfer) -> Vec<Step> {
    line(transfer, "session:ses_1", &|_| "tomorrow".into())
}

fn whats(steps: &[Step]) -> Vec<&str> {
    steps.iter().map(|s| s.what.as_str()).collect()
}

#[test]
fn waiting_transfer_should_say_who_acts_next_and_what_is_ahead() {
    let entries = [
        entry("transfer.requested", ""),
        entry(
            "transfer.screened",
            r#""approvalsNeeded":1,"rule":"every transfer""#,
        ),
    ];
    let steps = drawn(&transfer("awaiting_approval", None, &entries));
    assert_eq!(
        whats(&steps),
        [
            "Requested by you",
            "Screened: one approval needed",
            "Approval",
            "Signed",
            "Sent to the network",
            "In a block",
            "Final"
        ]
    );
    assert!(steps[0].next.is_none(), "only the present step says what is next");
    assert!(steps[1].next.as_deref().is_some_and(|n| n.contains("tomorrow")));
    assert!(steps[2..].iter().all(|s| s.at.is_none()));
}

#[test]
fn attempts_should_be_nested_under_the_first_of_them() {
    let tried = |outcome: &str| {
        entry(
            "execution.broadcast_tried",
            &format!(r#""node":"local","outcome":"{outcome}","attempt":1"#),
        )
    };
    let entries = [
        entry("execution.signed", r#""attempt":1"#),
        tried("ambiguous"),
        tried("accepted"),
        entry("execution.seen", r#""txid":"0xcc""#),
    ];
    let steps = drawn(&transfer("executing", Some("seen"), &entries));
    assert_eq!(
        whats(&steps)[..3],
        ["Signed", "Sent to the network", "In the node's pool"]
    );
    assert_eq!(steps[1].nested.len(), 2);
    assert!(steps[1].nested[1].contains("took it"));
    assert_eq!(
        whats(&steps)[3..],
        ["In a block", "Final"],
        "sending is no longer ahead"
    );
}

#[test]
fn reorg_should_stand_in_the_line() {
    let block = r#""block":{"height":12,"hash":"0xdd"}"#;
    let entries = [
        entry("execution.included", &format!(r#"{block},"succeeded":true"#)),
        entry("execution.detached", block),
    ];
    let steps = drawn(&transfer("executing", Some("broadcasting"), &entries));
    assert_eq!(steps[0].what, "In block 12");
    assert!(steps[1].what.contains("was detached"));
    assert_eq!(steps[1].tone, Tone::Wait);
}

#[test]
fn ended_transfer_should_have_nothing_ahead() {
    let failed = entry(
        "transfer.failed",
        r#""code":"insufficient-funds","detail":"Held 1, needed 2.""#,
    );
    let steps = drawn(&transfer("failed", None, &[failed]));
    assert_eq!(steps.len(), 1);
    assert_eq!(steps[0].what, "Failed: insufficient-funds");
    assert_eq!(steps[0].proof, [Proof::Words("Held 1, needed 2.".into())]);
    assert!(steps[0].next.is_none());
}

#[test]
fn failure_on_chain_should_be_seen_in_its_block() {
    let entries = [entry(
        "execution.finalized",
        r#""block":{"height":9,"hash":"0x"},"succeeded":false"#,
    )];
    let steps = drawn(&transfer("executing", Some("finalized"), &entries));
    assert_eq!(steps[0].tone, Tone::Bad);
    assert!(steps[0].what.contains("failed in it"));
}

#[test]
fn confirmations_should_be_counted_while_it_waits_for_finality() {
    let steps = drawn(&transfer(
        "executing",
        Some("included"),
        &[entry("execution.included", "")],
    ));
    assert!(
        steps[0]
            .next
            .as_deref()
            .is_some_and(|n| n.contains("3 confirmations"))
    );
    assert_eq!(whats(&steps)[1..], ["Final"]);
}

#[test]
fn unknown_entries_should_be_shown_by_their_type() {
    let steps = drawn(&transfer(
        "executing",
        Some("queued"),
        &[entry("execution.teleported", "")],
    ));
    assert_eq!(steps[0].what, "execution.teleported");
}
