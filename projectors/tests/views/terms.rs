//! Terms that people look for: labels by their beginning, external ids whole, in any case, as they are now and only to
//! their tenant.

use vaultstream_domain::Event;
use vaultstream_domain::transfer::TransferEvent;
use vaultstream_domain::vault::AccountEvent;
use vaultstream_event_schemas::envelope::Owner;
use vaultstream_event_schemas::vault::v1::AccountLabelled;
use vaultstream_event_schemas::{OrganizationId, StreamKind};
use vaultstream_projectors::Reads;
use vaultstream_projectors::rows::LookupKind;

use crate::history::{Account, History};
use crate::reads::node;
use crate::setup::Node;

async fn label(node: &Node, history: &mut History, account: Account, label: &str) {
    let labelled = AccountLabelled {
        label: label.to_owned(),
    };
    let at = (account.organization, Owner::Vault(account.vault));
    history.add(account.id, at, &[AccountEvent::from(labelled).into()]);
    history.append(node.log.as_ref()).await;
    node.caught_up().await;
}

/// The ids and labels of the accounts or transfers that a text leads to.
async fn found(reads: &Reads, of: OrganizationId, text: &str, kind: LookupKind) -> Vec<(String, String)> {
    let hits = reads.lookup(of, text, 50).await.expect("readable");
    assert!(
        hits.iter().all(|hit| hit.organization_id == of),
        "{text}: {hits:?}"
    );
    hits.into_iter()
        .filter(|hit| hit.kind == kind)
        .map(|hit| (hit.id, hit.label))
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn label_should_be_found_by_its_beginning_as_it_is_now() {
    let (mut node, mut history) = node(61, 300).await;
    let [mine, theirs] = history.organizations[..] else {
        panic!("two tenants")
    };
    let account = *history
        .accounts
        .iter()
        .find(|a| a.organization == theirs)
        .expect("they have one");
    label(&node, &mut history, account, "Treasury Öl reserve").await;
    let hit = vec![(account.id.to_string(), "Treasury Öl reserve".to_owned())];
    let reads = &node.reads;
    for beginning in ["T", "treas", "TREASURY ÖL", "  Treasury öl reserve "] {
        assert_eq!(
            found(reads, theirs, beginning, LookupKind::Account).await,
            hit,
            "{beginning}"
        );
        assert_eq!(
            found(reads, mine, beginning, LookupKind::Account).await,
            vec![],
            "{beginning}"
        );
    }
    for no_beginning in ["reserve", "Treasury Öl reserves", "reasury"] {
        assert_eq!(
            found(reads, theirs, no_beginning, LookupKind::Account).await,
            vec![],
            "{no_beginning}"
        );
    }
    label(&node, &mut history, account, "Working money").await;
    let reads = &node.reads;
    assert_eq!(found(reads, theirs, "Treas", LookupKind::Account).await, vec![]);
    assert_eq!(
        found(reads, theirs, "work", LookupKind::Account).await,
        [(account.id.to_string(), "Working money".to_owned())]
    );
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn external_id_should_be_found_whole_and_only_by_its_tenant() {
    let (mut node, history) = node(62, 600).await;
    let [one, other] = history.organizations[..] else {
        panic!("two tenants")
    };
    let mut requested = Vec::new();
    for entry in node.registry.entries() {
        for stored in node.events(entry.number).await {
            if stored.envelope.stream.kind != StreamKind::Transfer {
                continue;
            }
            for event in Event::read(&stored).expect("current") {
                if let Event::Transfer(TransferEvent::Requested(e)) = event
                    && let Some(external) = e.external_id
                {
                    requested.push((stored.envelope.organization, stored.envelope.stream, external));
                }
            }
        }
    }
    assert!(requested.len() > 5, "{requested:?}");
    for (organization, transfer, external) in &requested {
        let hit = [(transfer.to_string(), external.clone())];
        for text in [external.clone(), external.to_uppercase(), format!(" {external} ")] {
            assert_eq!(
                found(&node.reads, *organization, &text, LookupKind::Transfer).await,
                hit,
                "{text}"
            );
        }
        let foreign = if organization == &one { other } else { one };
        assert_eq!(
            found(&node.reads, foreign, external, LookupKind::Transfer).await,
            vec![]
        );
    }
    assert_eq!(
        found(&node.reads, one, "Invoice-", LookupKind::Transfer).await,
        vec![],
        "an external id is no name: it is matched whole"
    );
    node.stop().await;
}
