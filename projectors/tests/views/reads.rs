//! Reads: pages that hold still, filters that agree with a plain list, tenants that do not see each other, waiting.

use std::collections::BTreeSet;

use vaultstream_event_schemas::status::VaultStatus;
use vaultstream_event_schemas::token::{Place, Positions};
use vaultstream_event_schemas::{OrganizationId, ShardNumber, TransferStatus};
use vaultstream_projectors::read::{
    FeedQuery, Page, PageRequest, Transfer, TransferFilter, TransferSort, VaultFilter, VaultSort, positions_of,
};
use vaultstream_projectors::rows::LookupKind;
use vaultstream_projectors::{ReadError, Reads, ViewName};

use crate::history::{History, asset, chain};
use crate::setup::Node;

async fn node(seed: u64, steps: usize) -> (Node, History) {
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
    all(size, async |page| reads.transfers(of, filter, TransferSort::Newest, &page).await.expect("readable")).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn filters_should_agree_with_a_plain_list() {
    let (mut node, history) = node(31, 2_500).await;
    let organization = history.organizations[0];
    let everything = transfers(&node.reads, organization, &TransferFilter::default(), 200).await;
    let mine = history.transfers.iter().filter(|(_, of)| *of == organization).count();
    assert_eq!(everything.len(), mine, "every transfer of the tenant, and only those");
    let keys: Vec<_> = everything.iter().map(|t| (t.row.created_hlc, t.row.id)).collect();
    assert!(keys.is_sorted_by(|a, b| a > b), "newest first, merged over chains");
    let vault = everything[everything.len() / 2].row.vault_id;
    let middle = everything[everything.len() / 2].row.created_hlc.timestamp();
    let base = TransferFilter::default;
    let filters = [
        TransferFilter { vault: Some(vault), ..base() },
        TransferFilter { status: Some(TransferStatus::Completed), ..base() },
        TransferFilter { open: Some(true), ..base() },
        TransferFilter { open: Some(false), ..base() },
        TransferFilter { asset: Some(asset(1, 1)), ..base() },
        TransferFilter { chain: Some(chain(1)), ..base() },
        TransferFilter { vault: Some(vault), status: Some(TransferStatus::Completed), ..base() },
        TransferFilter { asset: Some(asset(0, 0)), open: Some(true), ..base() },
        TransferFilter { status: Some(TransferStatus::Executing), chain: Some(chain(0)), ..base() },
        TransferFilter { created_from: Some(middle), ..base() },
        TransferFilter { created_until: Some(middle), ..base() },
        TransferFilter { created_from: Some(middle), created_until: Some(middle.plus_seconds(1)), ..base() },
    ];
    for filter in filters {
        let expected: Vec<_> = everything
            .iter()
            .filter(|t| {
                let created = t.row.created_hlc.timestamp();
                filter.vault.is_none_or(|v| v == t.row.vault_id)
                    && filter.status.is_none_or(|s| s == t.row.status)
                    && filter.open.is_none_or(|open| open != t.row.status.is_terminal())
                    && filter.asset.as_ref().is_none_or(|a| *a == t.row.asset)
                    && filter.chain.as_ref().is_none_or(|c| *c == t.row.asset.chain())
                    && filter.created_from.is_none_or(|from| created >= from)
                    && filter.created_until.is_none_or(|until| created < until)
            })
            .map(|t| t.row.id)
            .collect();
        assert!(!expected.is_empty(), "{filter:?} shows nothing");
        for size in [1, 7, 200] {
            let found = transfers(&node.reads, organization, &filter, size).await;
            assert_eq!(found.iter().map(|t| t.row.id).collect::<Vec<_>>(), expected, "{filter:?} by {size}");
        }
        let mut oldest = all(13, async |page| {
            node.reads.transfers(organization, &filter, TransferSort::Oldest, &page).await.expect("readable")
        })
        .await;
        oldest.reverse();
        assert_eq!(oldest.iter().map(|t| t.row.id).collect::<Vec<_>>(), expected, "{filter:?} from the oldest");
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
        let rows =
            all(9, async |page| node.reads.open_in_shard(entry.number, &page).await.expect("readable")).await;
        open.extend(rows.into_iter().map(|row| row.id));
    }
    for transfer in everything {
        let is_open = !transfer.row.status.is_terminal();
        assert_eq!(open.contains(&transfer.row.id.to_string()), is_open, "{}", transfer.row.id);
        for execution in &transfer.executions {
            assert_eq!(open.contains(&execution.id.to_string()), !execution.status.is_terminal());
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn vaults_should_be_listed_in_every_order() {
    let (mut node, history) = node(32, 3_000).await;
    let organization = history.organizations[1];
    let list = async |filter: VaultFilter, sort: VaultSort, size: usize| {
        all(size, async |page| node.reads.vaults(organization, &filter, &sort, &page).await.expect("readable")).await
    };
    let newest = list(VaultFilter::default(), VaultSort::Newest, 200).await;
    assert_eq!(newest.len(), history.vaults.iter().filter(|(_, of)| *of == organization).count());
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
        let filter = VaultFilter { name_prefix: Some(prefix.into()), ..VaultFilter::default() };
        let matching = newest.iter().filter(|v| v.name.to_lowercase().starts_with(&prefix.to_lowercase())).count();
        for sort in [VaultSort::Name, VaultSort::NameDescending, VaultSort::Newest, VaultSort::Activity] {
            assert_eq!(list(filter.clone(), sort.clone(), 2).await.len(), matching, "{prefix} by {sort:?}");
        }
    }
    let active = VaultFilter { status: Some(VaultStatus::Active), ..VaultFilter::default() };
    let expected = newest.iter().filter(|v| v.status == VaultStatus::Active).count();
    assert_eq!(list(active, VaultSort::Newest, 5).await.len(), expected);
    let held = async |vault: &vaultstream_projectors::rows::VaultRow| {
        let balances = node.reads.balances_of_vault(organization, vault.id).await.expect("readable");
        balances.into_iter().find(|b| b.asset == asset(0, 0)).map(|b| b.minor).unwrap_or_default()
    };
    let mut amounts = Vec::new();
    for vault in list(VaultFilter::default(), VaultSort::Balance(asset(0, 0)), 3).await {
        amounts.push(held(&vault).await);
    }
    assert!(amounts.is_sorted_by(|a, b| a >= b) && amounts.len() == newest.len());
    assert_eq!(list(VaultFilter::default(), VaultSort::Activity, 3).await.len(), newest.len());
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn feed_should_be_gap_free_while_every_shard_writes() {
    let (mut node, mut history) = node(33, 800).await;
    let organization = history.organizations[0];
    let whole = all(200, async |page| {
        node.reads.feed(organization, &FeedQuery::default(), &page).await.expect("readable")
    })
    .await;
    let keys: Vec<_> = whole.iter().map(|e| (e.hlc, e.shard)).collect();
    assert!(keys.is_sorted_by(|a, b| a > b), "newest first by the shards' clocks");
    let (mut seen, mut request) = (Vec::new(), PageRequest::first(17));
    let first = node.reads.feed(organization, &FeedQuery::default(), &request).await.expect("readable");
    let newest = positions_of(&first.items[0].cursor).expect("a vector");
    loop {
        let page = node.reads.feed(organization, &FeedQuery::default(), &request).await.expect("readable");
        seen.extend(page.rows().map(|event| event.id));
        history.live(node.log.as_ref(), 10).await;
        node.caught_up().await;
        let Some(next) = page.next else { break };
        request = PageRequest::after(next, 17);
    }
    // The first page was asked for twice before anything new was written.
    assert_eq!(seen, whole.iter().map(|e| e.id).collect::<Vec<_>>(), "new events move no page");
    let mut after = node.positions().await;
    after.0.clear();
    let (mut forward, mut rounds) = (Vec::new(), 0);
    loop {
        let page =
            node.reads.feed_after(organization, &FeedQuery::default(), &after, 23).await.expect("readable");
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
    assert_eq!(forward.iter().collect::<BTreeSet<_>>(), expected.iter().collect::<BTreeSet<_>>());
    let foreign = newest.0.keys().map(|shard| (*shard, Place { incarnation: 9, position: 1 })).collect();
    let refused = node.reads.feed_after(organization, &FeedQuery::default(), &Positions(foreign), 5).await;
    assert!(matches!(refused, Err(ReadError::OtherLife { .. })));
    let types = FeedQuery { types: vec!["vault.created".into()], ..FeedQuery::default() };
    let created = all(3, async |page| node.reads.feed(organization, &types, &page).await.expect("readable")).await;
    assert_eq!(created.len(), history.vaults.iter().filter(|(_, of)| *of == organization).count());
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tenants_should_not_see_each_other_and_terms_should_lead_home() {
    let (mut node, history) = node(34, 1_200).await;
    let [mine, theirs] = history.organizations[..] else { panic!("two tenants") };
    let (vault, _) = *history.vaults.iter().find(|(_, of)| *of == theirs).expect("they have one");
    let (transfer, _) = *history.transfers.iter().find(|(_, of)| *of == theirs).expect("they have one");
    let (execution, _) = *history.executions.iter().find(|(_, of)| *of == theirs).expect("they have one");
    let account = *history.accounts.iter().find(|a| a.organization == theirs).expect("they have one");
    let reads = &node.reads;
    assert!(reads.vault(mine, vault).await.expect("readable").is_none());
    assert!(reads.transfer(mine, transfer).await.expect("readable").is_none());
    assert!(reads.execution(mine, execution).await.expect("readable").is_none());
    assert!(reads.account(mine, account.id).await.expect("readable").is_none());
    assert_eq!(reads.accounts_of_vault(mine, vault).await.expect("readable"), vec![]);
    assert_eq!(reads.balances_of_vault(mine, vault).await.expect("readable"), vec![]);
    let row = reads.account(theirs, account.id).await.expect("readable").expect("theirs");
    let address = row.address.expect("open");
    let name = reads.vault(theirs, vault).await.expect("readable").expect("theirs").name;
    let txid = reads.execution(theirs, execution).await.expect("readable").expect("theirs").txid;
    let mut terms = vec![
        (vault.to_string(), LookupKind::Vault),
        (transfer.to_string().to_uppercase(), LookupKind::Transfer),
        (execution.to_string(), LookupKind::Execution),
        (address.to_uppercase().replacen('X', "x", 1), LookupKind::Account),
        (name.chars().take(4).collect(), LookupKind::Vault),
    ];
    terms.extend(txid.map(|txid| (txid, LookupKind::Execution)));
    for (term, kind) in terms {
        let hits = reads.lookup(theirs, &term, 50).await.expect("readable");
        assert!(hits.iter().any(|hit| hit.kind == kind && hit.organization_id == theirs), "{term}: {hits:?}");
        let foreign = reads.lookup(mine, &term, 50).await.expect("readable");
        assert!(foreign.iter().all(|hit| hit.organization_id == mine), "{term}: {foreign:?}");
    }
    for nothing in ["", "   ", "no such thing", "vlt_nonsense", &"x".repeat(10_000)] {
        assert_eq!(reads.lookup(mine, nothing, 5).await.expect("readable"), vec![], "{nothing:.20}");
    }
    for (n, organization) in [mine, theirs].into_iter().enumerate() {
        let keys = reads.api_keys(organization, &PageRequest::first(5)).await.expect("readable");
        let key = keys.rows().next().expect("one key").clone();
        assert_eq!((key.organization_id, key.revoked_at.is_some()), (organization, n == 1));
        assert_eq!(reads.api_key(key.id).await.expect("readable"), Some(key.clone()));
        let sessions = reads.sessions(organization, &PageRequest::first(5)).await.expect("readable");
        let session = sessions.rows().next().expect("one session").clone();
        assert_eq!((session.key_id, session.code_sha256.is_none()), (key.id, true));
        assert_eq!(reads.session(session.id).await.expect("readable"), Some(session));
        assert!(reads.organization(organization).await.expect("readable").is_some());
    }
    let all = reads.organizations(&PageRequest::first(10)).await.expect("readable");
    assert_eq!(all.items.len(), 2);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn waiting_should_end_when_the_views_are_there_or_say_how_far_they_are() {
    let mut node = Node::new();
    let mut history = History::new(node.registry.clone(), 35);
    node.projector.prepare().await.expect("prepared");
    history.live(node.log.as_ref(), 200).await;
    let positions = node.positions().await;
    let behind = node.reads.wait(&[ViewName::Vaults], &positions, 50).await.expect_err("nobody folds");
    assert!(matches!(&behind, ReadError::Behind(b) if b.reached == 0 && b.wanted > 0), "{behind}");
    node.reads.wait(&[ViewName::Vaults], &Positions::default(), 0).await.expect("nothing is asked for");
    let waiting = {
        let (reads, positions) = (node.reads.clone(), positions.clone());
        tokio::spawn(async move { reads.wait(&ViewName::ALL, &positions, 30_000).await })
    };
    node.start();
    waiting.await.expect("no panic").expect("the views came");
    assert_eq!(
        node.reads.positions(&ViewName::ALL).await.expect("readable").0.get(&ShardNumber(0)),
        positions.0.get(&ShardNumber(0))
    );
    let (shard, place) = positions.0.iter().find(|(_, place)| place.position > 0).expect("something was written");
    let other = Positions::one(*shard, Place { incarnation: 7, ..*place });
    let refused = node.reads.wait(&ViewName::ALL, &other, 10).await.expect_err("another life");
    assert!(matches!(refused, ReadError::OtherLife { shard: s } if s == *shard));
    node.stop().await;
}
