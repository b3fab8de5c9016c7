//! What is parked is tried again without a restart when an operator asks for it: every other key is untouched meanwhile,
//! and the order of the parked events is kept.

use vaultstream_domain::platform::{AskOfView, Wish, platform_organization, view_generation_id};
use vaultstream_domain::ports::ViewStore;
use vaultstream_domain::ports::view_store::{Flush, RowKey, RowWrite, ViewRef};
use vaultstream_domain::transfer::TransferEvent as T;
use vaultstream_event_schemas::envelope::Owner;
use vaultstream_event_schemas::transfer::v1;
use vaultstream_event_schemas::{Family, Hlc, OrganizationId, TransferId, TransferStatus};
use vaultstream_projectors::ViewName;
use vaultstream_projectors::dump::digest;
use vaultstream_projectors::projector::ProjectorOptions;
use vaultstream_projectors::read::PageRequest;
use vaultstream_projectors::read::{TransferFilter, TransferSort};
use vaultstream_projectors::tables::{self, key, t};
use vaultstream_projectors::views::view;

use crate::history::{Account, History};
use crate::requests::Operated;
use crate::setup::{Node, slug};

const KEYS: usize = 2_000;
const VIEW: ViewName = ViewName::Transfers;

fn family() -> Family {
    Family::Chain(slug(0))
}

fn at(generation: u32) -> ViewRef {
    VIEW.at(family(), generation)
}

fn row_of(organization: OrganizationId, transfer: TransferId) -> RowKey {
    key(&tables::TRANSFER, [t(organization), t(transfer)], [])
}

/// Writes a row as somebody with access to the store would.
async fn write(node: &Node, key: RowKey, value: Vec<u8>, hlc: Hlc) {
    let rows = vec![RowWrite { key, value, hlc }];
    let flush = Flush {
        rows,
        ..Flush::default()
    };
    node.store.flush(&at(1), flush).await.expect("written");
}

/// The clock of a transfer's first event.
async fn born(node: &Node, transfer: TransferId) -> Hlc {
    let events = node.events(transfer.shard()).await;
    let first = events.iter().find(|e| e.envelope.stream == transfer.stream());
    first.expect("in its shard").hlc
}

async fn retry(operated: &Operated) {
    let registry = &operated.node.registry;
    let request = AskOfView {
        organization: platform_organization(registry),
        wish: Wish::Retry,
        view: VIEW.as_str().to_owned(),
        stores: vec![(view_generation_id(registry, &family(), VIEW.as_str()), family())],
        reason: "the row was put back".to_owned(),
    };
    operated.execute(request).await.expect("taken");
}

/// Screening, approval and an end, after the request.
fn follow(history: &mut History, account: Account, transfer: TransferId) {
    let place = (account.organization, Owner::Vault(account.vault));
    let screened = v1::Screened {
        approvals_needed: 1,
        rule: "one".into(),
    };
    let denied = v1::Denied {
        reason: "enough".into(),
    };
    history.add(transfer, place, &[T::from(screened).into()]);
    history.add(transfer, place, &[T::from(denied).into()]);
}

async fn denied(node: &Node, organization: OrganizationId) -> usize {
    let filter = TransferFilter {
        status: Some(TransferStatus::Rejected),
        ..TransferFilter::default()
    };
    let (mut count, mut after) = (0, None);
    loop {
        let request = PageRequest { after, limit: 200 };
        let page = node
            .reads
            .transfers(organization, &filter, TransferSort::Newest, &request)
            .await
            .expect("readable");
        count += page.rows().count();
        after = page.next;
        if after.is_none() {
            return count;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_poison_key_in_a_thousand_should_hold_up_nobody_and_heal_in_order_on_request() {
    let mut node = Node::new();
    let mut history = History::new(node.registry.clone(), 77);
    history.live(node.log.as_ref(), 60).await;
    let account = *history.accounts.iter().find(|a| a.chain == 0).expect("one");
    let transfers: Vec<_> = (0..KEYS).map(|_| history.transfer(account)).collect();
    history.append(node.log.as_ref()).await;
    node.start();
    node.caught_up().await;
    let before = denied(&node, account.organization).await;
    let node = node.restarted(ProjectorOptions::default()).await;
    let bad: Vec<TransferId> = transfers.iter().copied().step_by(1_000).collect();
    let mut healthy = Vec::new();
    for transfer in &bad {
        let key = row_of(account.organization, *transfer);
        let value = node.store.get(&at(1), std::slice::from_ref(&key)).await;
        let value = value.expect("readable").pop().flatten().expect("there");
        let hlc = born(&node, *transfer).await;
        write(&node, key.clone(), b"{".to_vec(), Hlc(hlc.0 + 1)).await;
        healthy.push((key, value, Hlc(hlc.0 + 2)));
    }

    let mut operated = Operated::over(node);
    operated.node.start();
    for transfer in &transfers {
        follow(&mut history, account, *transfer);
    }
    history.append(operated.node.log.as_ref()).await;
    operated.node.caught_up().await;
    let parked = operated.node.reads.parked(VIEW, &[family()], None, 1).await;
    let parked = parked.expect("readable");
    assert_eq!(parked.rows.len(), 1, "a page of one");
    let after = parked.next.as_deref();
    let rest = operated.node.reads.parked(VIEW, &[family()], after, 200).await;
    let rest = rest.expect("readable");
    assert_eq!((rest.rows.len(), rest.next), (bad.len() - 1, None));
    for (_, row) in parked.rows.iter().chain(&rest.rows) {
        assert!(bad.iter().any(|id| id.stream() == row.event.stream));
        assert_eq!(
            (row.event.sequence, row.parked),
            (2, 2),
            "in order behind the first"
        );
        assert!(row.reason.contains("cannot be read"), "{}", row.reason);
    }
    let moved = denied(&operated.node, account.organization).await - before;
    assert_eq!(moved, KEYS - bad.len(), "every other key is untouched");

    retry(&operated).await;
    let state = operated.until(VIEW, &family(), |s| s.retry.is_none()).await;
    assert_eq!(state.retried, Some((0, 2)), "nothing is mended yet");

    for (key, value, hlc) in healthy {
        write(&operated.node, key, value, hlc).await;
    }
    retry(&operated).await;
    let state = operated
        .until(VIEW, &family(), |s| s.retried != Some((0, 2)))
        .await;
    assert_eq!(
        (state.retry, state.retried),
        (None, Some((2, 0))),
        "without a restart"
    );
    let parked = operated.node.reads.parked(VIEW, &[family()], None, 200).await;
    assert_eq!(parked.expect("readable").rows, vec![]);
    assert_eq!(denied(&operated.node, account.organization).await - before, KEYS);
    operated.node.caught_up().await;
    let found = digest(operated.node.store.as_ref(), view(VIEW).as_ref(), &at(1)).await;
    let expected = operated.node.reference(&view(VIEW), &at(9)).await;
    assert_eq!(found.expect("readable"), expected, "as if nothing had been");
    operated.node.stop().await;
}
