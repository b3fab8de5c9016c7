//! What the platform relies on, whatever node it is. Cases share a chain and never an account.

use vaultstream_domain::ports::ChainNode;
use vaultstream_domain::ports::chain_node::NodeError;
use vaultstream_event_schemas::chain::{BlockRef, TransactionView};
use vaultstream_event_schemas::execution::v1::BroadcastOutcome;
use vaultstream_event_schemas::{AssetId, ChainId};
use vaultstream_infra_chain_evm::{ConnectError, EvmNode, Options};

use crate::bench::{Bench, ETHER, SOMEBODY, native, wei};
use crate::following;
use crate::refusals;
use crate::token;

macro_rules! run_all {
    ($bench:expr, $($case:path),+ $(,)?) => { $(
        println!("{}: {}", $bench.engine.name(), stringify!($case));
        $case(&$bench).await;
    )+ };
}

/// Every case, in order.
pub async fn run(bench: Bench) {
    run_all!(
        bench,
        another_chain_should_be_refused,
        head_should_link_and_order,
        balance_should_be_true_at_its_block,
        quote_should_be_ordered_and_named,
        happy_transfer,
        token_transfer,
        failed_transfer_should_cost_its_fee,
        duplicates_should_be_recognized,
        nonce_gap_should_wait,
        refusals::should_be_understood_alike,
        dropped_transaction_should_be_absent,
        following::ring_should_follow_a_reorganization_across_a_restart,
        following::detached_transaction_should_not_count_as_included,
    );
}

async fn another_chain_should_be_refused(bench: &Bench) {
    let other = ChainId::try_new("eip155:1").expect("a chain");
    let error = EvmNode::connect(Options::new(bench.engine.rpc_url(), other)).await;
    let error = error.expect_err("another chain");
    assert!(
        matches!(error, ConnectError::WrongChain { found: 31_337, .. }),
        "{error}"
    );
    assert!(
        !error.is_temporary() && error.to_string().contains("eip155:31337, not eip155:1"),
        "{error}"
    );
}

async fn head_should_link_and_order(bench: &Bench) {
    bench.mine(12).await;
    let before = bench.node.head().await.expect("a head");
    bench.mine(1).await;
    let head = bench.node.head().await.expect("a head");
    assert_eq!(
        (head.tip.at.height, &head.tip.parent),
        (before.tip.at.height + 1, &before.tip.at.hash)
    );
    assert_eq!(head.tip.at.height - head.safe.height, 3);
    assert_eq!(head.tip.at.height - head.finalized.height, 6);
    let at = bench.node.block_at(head.tip.at.height).await.expect("a block");
    let by_hash = bench
        .node
        .block_by_hash(&head.tip.at.hash)
        .await
        .expect("a block");
    assert_eq!(
        (at.as_ref(), by_hash.as_ref()),
        (Some(&head.tip), Some(&head.tip))
    );
    let above = bench
        .node
        .block_at(head.tip.at.height + 1)
        .await
        .expect("an answer");
    let unknown = bench
        .node
        .block_by_hash(&format!("0x{:064x}", 7))
        .await
        .expect("an answer");
    assert_eq!((above, unknown), (None, None));
    let nonsense = bench.node.block_by_hash("0x12").await;
    assert!(matches!(nonsense, Err(NodeError::Refused(_))), "{nonsense:?}");
}

async fn balance_should_be_true_at_its_block(bench: &Bench) {
    let before = bench.tip().await;
    // anvil's faucet reaches back into the newest block, so let there be one between.
    bench.mine(1).await;
    let wallet = bench.funded(10).await;
    let after = bench.tip().await;
    assert_eq!(bench.balance(&wallet.address, &before).await, wei(0));
    assert_eq!(bench.balance(&wallet.address, &after).await, wei(ETHER));
    bench.mine(1).await;
    let second = bench.engine.faucet().fund(&wallet.address, wei(1)).await;
    second.expect("funded again");
    bench.mine(1).await;
    assert_eq!(
        bench.balance(&wallet.address, &bench.tip().await).await,
        wei(ETHER + 1)
    );
    assert_eq!(
        bench.balance(&wallet.address, &after).await,
        wei(ETHER),
        "the past stays"
    );
    let unknown = BlockRef {
        hash: format!("0x{:064x}", 7),
        height: after.height,
    };
    for error in [
        bench
            .node
            .balance(&wallet.address, &native(), &unknown)
            .await
            .expect_err("no such block"),
        bench
            .node
            .slots_consumed(&wallet.address, &unknown)
            .await
            .expect_err("no such block"),
    ] {
        assert!(matches!(error, NodeError::StateGone(_)), "{error:?}");
    }
    let foreign = AssetId::try_new("eip155:1/slip44:60").expect("an asset");
    let error = bench.node.balance(&wallet.address, &foreign, &after).await;
    assert!(matches!(error, Err(NodeError::Refused(_))), "{error:?}");
    let faucet = bench.engine.faucet();
    let lost = faucet
        .fund("0x0000000000000000000000000000000000000000", wei(1))
        .await;
    assert!(matches!(lost, Err(NodeError::Refused(_))), "{lost:?}");
}

async fn quote_should_be_ordered_and_named(bench: &Bench) {
    let quote = bench.node.quote_fee().await.expect("a quote");
    assert_eq!(quote.at, bench.tip().await);
    assert!(
        quote.floor <= quote.target && quote.target <= quote.ceiling && quote.tip <= quote.target,
        "{quote:?}"
    );
    assert!(!quote.floor.is_zero());
    let mut options = Options::new(bench.engine.rpc_url(), crate::bench::chain());
    (options.fee_floor_wei, options.fee_ceiling_wei) = (90_000_000_000, 91_000_000_000);
    let dear = EvmNode::connect(options)
        .await
        .expect("a node")
        .quote_fee()
        .await
        .expect("a quote");
    assert_eq!(
        (dear.floor, dear.ceiling),
        (wei(90_000_000_000), wei(91_000_000_000))
    );
    assert!(
        dear.floor <= dear.target && dear.target <= dear.ceiling,
        "{dear:?}"
    );
}

async fn happy_transfer(bench: &Bench) {
    let wallet = bench.funded(11).await;
    let intent = bench.intent(&wallet, SOMEBODY, native(), ETHER / 2);
    assert_eq!(
        bench.node.estimate_work(&intent).await.expect("an estimate"),
        21_000
    );
    let greedy = bench.intent(&wallet, SOMEBODY, native(), 2 * ETHER);
    let error = bench
        .node
        .estimate_work(&greedy)
        .await
        .expect_err("more than it has");
    assert!(matches!(error, NodeError::Refused(_)), "{error:?}");

    let before = bench.tip().await;
    let received = bench.balance(SOMEBODY, &before).await;
    let transaction = wallet.sign(&bench.planned(&intent, 0, 21_000).await);
    assert_eq!(bench.view(&transaction.txid).await, TransactionView::Absent);
    bench.accept(&transaction).await;
    bench
        .expect_view(&transaction.txid, &TransactionView::Pooled)
        .await;
    assert_eq!(
        bench
            .node
            .slots_consumed(&wallet.address, &before)
            .await
            .expect("slots"),
        0
    );
    bench.mine(1).await;
    let (block, fee) = bench.expect_included(&transaction.txid, true).await;
    assert_eq!(block, bench.tip().await);
    assert_eq!(
        bench
            .node
            .slots_consumed(&wallet.address, &block)
            .await
            .expect("slots"),
        1
    );
    assert_eq!(
        bench
            .node
            .slots_consumed(&wallet.address, &before)
            .await
            .expect("slots"),
        0
    );
    let left = wei(ETHER / 2).checked_sub(fee).expect("a small fee");
    assert_eq!(
        bench.balance(&wallet.address, &block).await,
        left,
        "to the last wei"
    );
    let sum = received.checked_add(wei(ETHER / 2)).expect("fits");
    assert_eq!(bench.balance(SOMEBODY, &block).await, sum);
}

async fn token_transfer(bench: &Bench) {
    let wallet = bench.funded(12).await;
    let contract = token::deploy(bench, &wallet).await;
    let asset = AssetId::try_new(&format!("eip155:31337/erc20:{contract}")).expect("an asset");
    let held = async |who: &str| {
        let tip = bench.tip().await;
        bench.node.balance(who, &asset, &tip).await.expect("a balance")
    };
    assert_eq!(held(&wallet.address).await, wei(token::SUPPLY));
    let intent = bench.intent(&wallet, SOMEBODY, asset.clone(), 1_234);
    let gas = bench.node.estimate_work(&intent).await.expect("an estimate");
    assert!((30_000..120_000).contains(&gas), "{gas}");
    let transaction = wallet.sign(&bench.planned(&intent, 1, gas).await);
    bench.accept(&transaction).await;
    bench.mine(1).await;
    bench.expect_included(&transaction.txid, true).await;
    assert_eq!(held(SOMEBODY).await, wei(1_234));
    assert_eq!(held(&wallet.address).await, wei(token::SUPPLY - 1_234));

    let greedy = bench.intent(&wallet, SOMEBODY, asset, token::SUPPLY);
    let error = bench
        .node
        .estimate_work(&greedy)
        .await
        .expect_err("it would revert");
    assert!(
        matches!(&error, NodeError::Refused(why) if why.contains("not enough")),
        "{error:?}"
    );
    let nothing = AssetId::try_new(&format!("eip155:31337/erc20:{SOMEBODY}")).expect("an asset");
    let error = bench
        .node
        .balance(&wallet.address, &nothing, &bench.tip().await)
        .await;
    assert!(
        matches!(&error, Err(NodeError::Refused(why)) if why.contains("no token")),
        "{error:?}"
    );
}

async fn failed_transfer_should_cost_its_fee(bench: &Bench) {
    let wallet = bench.funded(13).await;
    let contract = token::deploy(bench, &wallet).await;
    let asset = AssetId::try_new(&format!("eip155:31337/erc20:{contract}")).expect("an asset");
    let greedy = bench.intent(&wallet, SOMEBODY, asset, token::SUPPLY + 1);
    let transaction = wallet.sign(&bench.planned(&greedy, 1, 100_000).await);
    bench.accept(&transaction).await;
    bench.mine(1).await;
    let (_, fee) = bench.expect_included(&transaction.txid, false).await;
    assert!(!fee.is_zero());
}

async fn duplicates_should_be_recognized(bench: &Bench) {
    let wallet = bench.funded(14).await;
    let transaction = bench.payment(&wallet, 0, 1).await;
    bench.accept(&transaction).await;
    assert_eq!(bench.send(&transaction).await.0, BroadcastOutcome::AlreadyKnown);
    bench.mine(1).await;
    bench.expect_included(&transaction.txid, true).await;
    let (late, detail) = bench.send(&transaction).await;
    assert!(
        matches!(late, BroadcastOutcome::Contested | BroadcastOutcome::AlreadyKnown),
        "never taken a second time, never called dead: {late:?} {detail}"
    );
    assert_eq!(
        bench
            .node
            .slots_consumed(&wallet.address, &bench.tip().await)
            .await
            .expect("slots"),
        1
    );
}

async fn nonce_gap_should_wait(bench: &Bench) {
    let wallet = bench.funded(15).await;
    let (first, second) = (
        bench.payment(&wallet, 0, 1).await,
        bench.payment(&wallet, 1, 1).await,
    );
    bench.accept(&second).await;
    bench.mine(2).await;
    assert!(
        !matches!(bench.view(&second.txid).await, TransactionView::Included { .. }),
        "a slot is missing"
    );
    assert_eq!(
        bench
            .node
            .slots_consumed(&wallet.address, &bench.tip().await)
            .await
            .expect("slots"),
        0
    );
    bench.accept(&first).await;
    bench.mine(1).await;
    bench.expect_included(&first.txid, true).await;
    bench.expect_included(&second.txid, true).await;
}

async fn dropped_transaction_should_be_absent(bench: &Bench) {
    let wallet = bench.funded(16).await;
    let transaction = bench.payment(&wallet, 0, 1).await;
    bench.accept(&transaction).await;
    bench
        .expect_view(&transaction.txid, &TransactionView::Pooled)
        .await;
    bench.engine.drop_transaction(&transaction.txid).await;
    bench
        .expect_view(&transaction.txid, &TransactionView::Absent)
        .await;
    bench.accept(&transaction).await;
    bench.mine(1).await;
    bench.expect_included(&transaction.txid, true).await;
}
