//! Rows and totals say what the domain's own fold of the same streams says.

use std::collections::{BTreeMap, HashMap};

use vaultstream_domain::State;
use vaultstream_domain::aggregate::{fold, initial};
use vaultstream_domain::execution::ExecutionState;
use vaultstream_domain::transfer::TransferState;
use vaultstream_domain::vault::{AccountState, VaultState};
use vaultstream_event_schemas::envelope::StoredEvent;
use vaultstream_event_schemas::{
    AccountId, Amount, AssetId, ExecutionId, OrganizationId, StreamId, TransferId, VaultId,
};
use vaultstream_projectors::read::Totals;
use vaultstream_projectors::{ProjectorOptions, Reads, ViewName};

use crate::history::History;
use crate::setup::Node;

/// Every stream of the log, folded by the domain.
async fn truth(node: &Node) -> HashMap<StreamId, (State, OrganizationId, u64)> {
    let mut streams: HashMap<StreamId, Vec<StoredEvent>> = HashMap::new();
    for entry in node.registry.entries() {
        for event in node.events(entry.number).await {
            streams.entry(event.envelope.stream).or_default().push(event);
        }
    }
    let folded = streams.into_iter().map(|(stream, events)| {
        let organization = events[0].envelope.organization;
        let version = u64::try_from(events.len()).expect("small");
        (
            stream,
            (
                fold(initial(stream), &events).expect("readable"),
                organization,
                version,
            ),
        )
    });
    folded.collect()
}

fn count<K: Ord>(counts: &mut BTreeMap<K, u64>, key: Option<K>) {
    if let Some(key) = key {
        *counts.entry(key).or_default() += 1;
    }
}

fn totals_of(truth: &HashMap<StreamId, (State, OrganizationId, u64)>, of: OrganizationId) -> Totals {
    let mut totals = Totals::default();
    let mut assets: BTreeMap<AssetId, Amount> = BTreeMap::new();
    for (state, organization, _) in truth.values().filter(|(_, organization, _)| *organization == of) {
        assert_eq!(*organization, of);
        match state {
            State::Vault(vault) => count(&mut totals.vaults, vault.status),
            State::Transfer(transfer) => count(&mut totals.transfers, transfer.status),
            State::Account(account) => {
                count(&mut totals.accounts, account.status);
                for (asset, balance) in &account.balances {
                    let sum = assets.entry(asset.clone()).or_default();
                    *sum = sum.wrapping_add(balance.minor);
                }
            }
            _ => {}
        }
    }
    totals.assets = assets.into_iter().filter(|(_, sum)| !sum.is_zero()).collect();
    totals
}

/// A stream, its tenant and its version.
type Named = (StreamId, OrganizationId, u64);

async fn transfer(reads: &Reads, (stream, organization, version): Named, expected: &TransferState) {
    let id = TransferId::try_from(stream).expect("a transfer");
    let found = reads
        .transfer(organization, id)
        .await
        .expect("readable")
        .expect("there");
    assert_eq!(Some(found.row.status), expected.status, "{id}");
    assert_eq!(
        (found.row.approvals, found.row.version),
        (expected.approvals, version),
        "{id}"
    );
    let executions: Vec<_> = found.executions.iter().map(|e| e.id).collect();
    assert_eq!(
        executions,
        expected.execution.into_iter().collect::<Vec<_>>(),
        "{id}"
    );
}

async fn execution(reads: &Reads, (stream, organization, version): Named, expected: &ExecutionState) {
    let id = ExecutionId::try_from(stream).expect("an execution");
    let found = reads
        .execution(organization, id)
        .await
        .expect("readable")
        .expect("there");
    let tries: u32 = expected.attempts.iter().map(|a| a.broadcasts).sum();
    assert_eq!(
        (Some(found.status), found.broadcasts),
        (expected.status, tries),
        "{id}"
    );
    assert_eq!(found.version, version);
}

async fn vault(reads: &Reads, (stream, organization, version): Named, expected: &VaultState) {
    let id = VaultId::try_from(stream).expect("a vault");
    let found = reads
        .vault(organization, id)
        .await
        .expect("readable")
        .expect("there");
    assert_eq!(
        (Some(found.status), &found.name),
        (expected.status, &expected.name)
    );
    assert_eq!(
        (found.accounts.len(), found.version),
        (expected.accounts.len(), version)
    );
}

async fn account(reads: &Reads, (stream, organization, version): Named, expected: &AccountState) {
    let id = AccountId::try_from(stream).expect("an account");
    let found = reads
        .account(organization, id)
        .await
        .expect("readable")
        .expect("there");
    assert_eq!(
        (Some(found.status), &found.address),
        (expected.status, &expected.address)
    );
    assert_eq!((&found.label, found.version), (&expected.label, version));
    let balances = reads
        .balances_of_vault(organization, found.vault_id)
        .await
        .expect("readable");
    let held: BTreeMap<_, _> = balances
        .into_iter()
        .filter(|b| b.account_id == id)
        .map(|b| (b.asset, b.minor))
        .collect();
    let expected: BTreeMap<_, _> = expected
        .balances
        .iter()
        .map(|(asset, b)| (asset.clone(), b.minor))
        .collect();
    assert_eq!(held, expected, "{id}");
}

async fn compare(node: &Node, history: &History) {
    let truth = truth(node).await;
    let mut compared = 0;
    for (stream, (state, organization, version)) in &truth {
        let (organization, reads) = (*organization, &node.reads);
        match state {
            State::Transfer(expected) => transfer(reads, (*stream, organization, *version), expected).await,
            State::Execution(expected) => execution(reads, (*stream, organization, *version), expected).await,
            State::Vault(expected) => vault(reads, (*stream, organization, *version), expected).await,
            State::Account(expected) => account(reads, (*stream, organization, *version), expected).await,
            _ => continue,
        }
        compared += 1;
    }
    assert!(compared > 50, "there is something to compare");
    for organization in &history.organizations {
        let totals = node.reads.totals(*organization).await.expect("readable");
        assert_eq!(totals, totals_of(&truth, *organization));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn views_should_say_what_the_domain_says_while_history_goes_on() {
    let small = ProjectorOptions {
        cache_rows: 40,
        flush_rows: 20,
        ..ProjectorOptions::default()
    };
    let mut node = Node::with(small);
    let mut history = History::new(node.registry.clone(), 11);
    node.start();
    for _ in 0..6 {
        history.live(node.log.as_ref(), 250).await;
        node.caught_up().await;
        compare(&node, &history).await;
    }
    let before = node.digests().await;
    let mut node = node.restarted(small).await;
    node.start();
    history.live(node.log.as_ref(), 200).await;
    node.caught_up().await;
    compare(&node, &history).await;
    assert_ne!(node.digests().await, before);
    for name in ViewName::ALL {
        assert_eq!(node.reads.quarantined(name).await.expect("readable"), vec![]);
    }
    node.stop().await;
}
