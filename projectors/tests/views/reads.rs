//! Reads: pages that hold still, filters that agree with a plain list, feeds without a gap.

use std::collections::BTreeSet;

use vaultstream_event_schemas::status::VaultStatus;
use vaultstream_event_schemas::token::{Place, Positions};
use vaultstream_event_schemas::{OrganizationId, Timestamp, TransferStatus, VaultId};
use vaultstream_projectors::read::{
    FeedQuery, Page, PageRequest, Transfer, TransferFilter, TransferSort, VaultFilter, VaultSort,
    positions_of,
};
use vaultstream_projectors::{ReadError, Reads};

use crate::history::{History, asset, chain};
use crate::setup::Node;

pub async fn node(seed: u64, steps: usize) -> (Node, History) {
    let mut node = Node::new();
    let mut history = History::new(node.registry.clone(), seed);
    history.live(node.log.as_ref(), steps).await;
    node.start();
    node.caught_up().await;
    (node, history)
}

/// Every page of a list, by pages of a size.
async fn all<T: Clone>(size: usize, mut page: impl AsyncFnMut(PageRequest) -> Page<T>) -> Vec<T> {
    let (mut rows, mut request) = (Vec::new(), PageRequest::first(size));
    for _ in 0..2_000 {
        let found = page(request).await;
        assert!(found.items.len() <= size);
        rows.extend(found.rows().cloned());
        match found.next {
            Some(next) => request = PageRequest::after(next, size),
            None => return rows,
        }
    }
    panic!("the list has no end");
}

async fn transfers(reads: &Reads, of: OrganizationId, filter: &TransferFilter, size: usize) -> Vec<Transfer> {
    all(size, async |page| {
        reads
            .transfers(of, filter, TransferSort::Newest, &page)
            .await
            .expect("readable")
    })
    .await
}

fn filters(vault: VaultId, middle: Timestamp) -> [TransferFilter; 12] {
    let base = TransferFilter::default;
    [
        TransferFilter {
            vault: Some(vault),
            ..base()
        },
        TransferFilter {
            status: Some(TransferStatus::Completed),
            ..base()
        },
        TransferFilter {
            open: Some(true),
            ..base()
        },
        TransferFilter {
            open: Some(false),
            ..base()
        },
        TransferFilter {
            asset: Some(asset(1, 1)),
            ..base()
        },
        TransferFilter {
            chain: Some(chain(1)),
            ..base()
        },
        TransferFilter {
            vault: Some(vault),
            status: Some(TransferStatus::Completed),
            ..base()
        },
        TransferFilter {
            asset: Some(asset(0, 0)),
            open: Some(true),
            ..base()
        },
        TransferFilter {
            status: Some(TransferStatus::Executing),
            chain: Some(chain(0)),
            ..base()
        },
        TransferFilter {
            created_from: Some(middle),
            ..base()
        },
        TransferFilter {
            created_until: Some(middle),
            ..base()
        },
        TransferFilter {
            created_from: Some(middle),
            created_until: Some(middle.plus_seconds(1)),
            ..base()
        },
    ]
}

/// What a filter means, said once more.
fn passes(filter: &TransferFilter, t: &Transfer) -> bool {
    let created = t.row.created_hlc.timestamp();
    filter.vault.is_none_or(|v| v == t.row.vault_id)
        && filter.status.is_none_or(|s| s == t.row.status)
        && filter.open.is_none_or(|open| open != t.row.status.is_terminal())
        && filter.asset.as_ref().is_none_or(|a| *a == t.row.asset)
        && filter.chain.as_ref().is_none_or(|c| *c == t.row.asset.chain())
        && filter.created_from.is_none_or(|from| created >= from)
        && filter.created_until.is_none_or(|until| created < until)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn filters_should_agree_with_a_plain_list() {
    let (mut node, history) = node(31, 2_500).await;
    let organization = history.organizations[0];
    let everything = transfers(&node.reads, organization, &TransferFilter::default(), 200).await;
    let mine = history
        .transfers
        .iter()
        .filter(|(_, of)| *of == organization)
        .count();
    assert_eq!(
        everything.len(),
        mine,
        "every transfer of the tenant, and only those"
    );
    let keys: Vec<_> = everything.iter().map(|t| (t.row.created_hlc, t.row.id)).collect();
    assert!(
        keys.is_sorted_by(|a, b| a > b),
        "newest first, merged over chains"
    );
    let vault = everything[everything.len() / 2].row.vault_id;
    let middle = everything[everything.len() / 2].row.created_hlc.timestamp();
    for filter in filters(vault, middle) {
        let expected: Vec<_> = everything
            .iter()
            .filter(|t| passes(&filter, t))
            .map(|t| t.row.id)
            .collect();
        assert!(!expected.is_empty(), "{filter:?} shows nothing");
        for size in [1, 7, 200] {
            let found = transfers(&node.reads, organization, &filter, size).await;
            assert_eq!(
                found.iter().map(|t| t.row.id).collect::<Vec<_>>(),
                expected,
                "{filter:?} by {size}"
            );
        }
        let mut oldest = all(13, async |page| {
            node.reads
                .transfers(organization, &filter, TransferSort::Oldest, &page)
                .await
                .expect("readable")
        })
        .await;
        oldest.reverse();
        assert_eq!(
            oldest.iter().map(|t| t.row.id).collect::<Vec<_>>(),
            expected,
            "{filter:?} from the oldest"
        );
    }
    let totals = node.reads.totals(organization).await.expect("readable");
    let open = everything.iter().filter(|t| !t.row.status.is_terminal()).count();
    assert_eq!(totals.open_transfers(), u64::try_from(open).expect("small"));
    open_lists_should_hold_what_is_open(&node, &everything).await;
    node.stop().await;
}

async fn open_lists_should_hold_what_is_open(node: &Node, everything: &[Transfer]) {
    let mut open = BTreeSet::new();
    for entry in node.registry.entries() {
        let rows = all(9, async |page| {
            node.reads
                .open_in_shard(entry.number, &page)
                .await
                .expect("readable")
        })
        .await;
        open.extend(rows.into_iter().map(|row| row.id));
    }
    for transfer in everything {
        let is_open = !transfer.row.status.is_terminal();
        assert_eq!(
            open.contains(&transfer.row.id.to_string()),
            is_open,
            "{}",
            transfer.row.id
        );
        for execution in &transfer.executions {
            assert_eq!(
                open.contains(&execution.id.to_string()),
                !execution.status.is_terminal()
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn vaults_should_be_listed_in_every_order() {
    let (mut node, history) = node(32, 3_000).await;
    let organization = history.organizations[1];
    let list = async |filter: VaultFilter, sort: VaultSort, size: usize| {
        all(size, async |page| {
            node.reads
                .vaults(organization, &filter, &sort, &page)
                .await
                .expect("readable")
        })
        .await
    };
    let newest = list(VaultFilter::default(), VaultSort::Newest, 200).await;
    assert_eq!(
        newest.len(),
        history
            .vaults
            .iter()
            .filter(|(_, of)| *of == organization)
            .count()
    );
    assert!(newest.is_sorted_by(|a, b| a.created_hlc > b.created_hlc));
    let mut oldest = list(VaultFilter::default(), VaultSort::Oldest, 3).await;
    oldest.reverse();
    assert_eq!(oldest, newest);
    let by_name = list(VaultFilter::default(), VaultSort::Name, 4).await;
    assert!(by_name.is_sorted_by_key(|v| (v.name.to_lowercase(), v.id.to_string())));
    assert_eq!(by_name.len(), newest.len());
    let mut back = list(VaultFilter::default(), VaultSort::NameDescending, 4).await;
    back.reverse();
    assert_eq!(back, by_name);
    for prefix in ["re", "OPER", "os", "zz"] {
        let filter = VaultFilter {
            name_prefix: Some(prefix.into()),
            ..VaultFilter::default()
        };
        let matching = newest
            .iter()
            .filter(|v| v.name.to_lowercase().starts_with(&prefix.to_lowercase()))
            .count();
        for sort in [
            VaultSort::Name,
            VaultSort::NameDescending,
            VaultSort::Newest,
            VaultSort::Activity,
        ] {
            assert_eq!(
                list(filter.clone(), sort.clone(), 2).await.len(),
                matching,
                "{prefix} by {sort:?}"
            );
        }
    }
    let active = VaultFilter {
        status: Some(VaultStatus::Active),
        ..VaultFilter::default()
    };
    let expected = newest.iter().filter(|v| v.status == VaultStatus::Active).count();
    assert_eq!(list(active, VaultSort::Newest, 5).await.len(), expected);
    ranks_should_fall(&node, organization, newest.len()).await;
    node.stop().await;
}

async fn ranks_should_fall(node: &Node, organization: OrganizationId, count: usize) {
    let list = async |sort: VaultSort| {
        let filter = VaultFilter::default();
        all(3, async |page| {
            node.reads
                .vaults(organization, &filter, &sort, &page)
                .await
                .expect("readable")
        })
        .await
    };
    let held = async |vault: &vaultstream_projectors::rows::VaultRow| {
        let balances = node
            .reads
            .balances_of_vault(organization, vault.id)
            .await
            .expect("readable");
        balances
            .into_iter()
            .find(|b| b.asset == asset(0, 0))
            .map(|b| b.minor)
            .unwrap_or_default()
    };
    let mut amounts = Vec::new();
    for vault in list(VaultSort::Balance(asset(0, 0))).await {
        amounts.push(held(&vault).await);
    }
    assert!(amounts.is_sorted_by(|a, b| a >= b) && amounts.len() == count);
    assert_eq!(list(VaultSort::Activity).await.len(), count);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn feed_should_be_gap_free_while_every_shard_writes() {
    let (mut node, mut history) = node(33, 800).await;
    let organization = history.organizations[0];
    let whole = all(200, async |page| {
        node.reads
            .feed(organization, &FeedQuery::default(), &page)
            .await
            .expect("readable")
    })
    .await;
    let keys: Vec<_> = whole.iter().map(|e| (e.hlc, e.shard)).collect();
    assert!(
        keys.is_sorted_by(|a, b| a > b),
        "newest first by the shards' clocks"
    );
    let (mut seen, mut request) = (Vec::new(), PageRequest::first(17));
    let first = node
        .reads
        .feed(organization, &FeedQuery::default(), &request)
        .await
        .expect("readable");
    let newest = positions_of(&first.items[0].cursor).expect("a vector");
    loop {
        let page = node
            .reads
            .feed(organization, &FeedQuery::default(), &request)
            .await
            .expect("readable");
        seen.extend(page.rows().map(|event| event.id));
        history.live(node.log.as_ref(), 10).await;
        node.caught_up().await;
        let Some(next) = page.next else { break };
        request = PageRequest::after(next, 17);
    }
    // The first page was asked for twice before anything new was written.
    assert_eq!(
        seen,
        whole.iter().map(|e| e.id).collect::<Vec<_>>(),
        "new events move no page"
    );
    forward_should_miss_nothing(&node, &mut history, organization).await;
    let foreign = newest
        .0
        .keys()
        .map(|shard| {
            (
                *shard,
                Place {
                    incarnation: 9,
                    position: 1,
                },
            )
        })
        .collect();
    let refused = node
        .reads
        .feed_after(organization, &FeedQuery::default(), &Positions(foreign), 5)
        .await;
    assert!(matches!(refused, Err(ReadError::OtherLife { .. })));
    let types = FeedQuery {
        types: vec!["vault.created".into()],
        ..FeedQuery::default()
    };
    let created = all(3, async |page| {
        node.reads
            .feed(organization, &types, &page)
            .await
            .expect("readable")
    })
    .await;
    assert_eq!(
        created.len(),
        history
            .vaults
            .iter()
            .filter(|(_, of)| *of == organization)
            .count()
    );
    node.stop().await;
}

async fn forward_should_miss_nothing(node: &Node, history: &mut History, organization: OrganizationId) {
    let mut after = Positions::default();
    let (mut forward, mut rounds) = (Vec::new(), 0);
    loop {
        let page = node
            .reads
            .feed_after(organization, &FeedQuery::default(), &after, 23)
            .await
            .expect("readable");
        forward.extend(page.rows().map(|event| event.id));
        let Some(last) = page.items.last() else { break };
        after = positions_of(&last.cursor).expect("a vector");
        if rounds < 5 {
            history.live(node.log.as_ref(), 15).await;
            node.caught_up().await;
        }
        rounds += 1;
    }
    let mut expected = Vec::new();
    for entry in node.registry.entries() {
        for event in node.events(entry.number).await {
            let public = vaultstream_event_schemas::public_event::to_public(&event);
            expected.extend(public.filter(|e| e.organization_id == organization).map(|e| e.id));
        }
    }
    assert_eq!(forward.len(), expected.len());
    assert_eq!(
        forward.iter().collect::<BTreeSet<_>>(),
        expected.iter().collect::<BTreeSet<_>>()
    );
}
