//! The ring of `chains/evm` on a real node: reorganizations, restarts, the verdict.

use vaultstream_chain_evm::head_ring::ReadBlocks;
use vaultstream_chain_evm::verdict::{Attempt, Facts, SlotsRead};
use vaultstream_chain_evm::{HeadRing, HeadUpdate, Verdict, verdict};
use vaultstream_domain::ports::ChainNode;
use vaultstream_domain::ports::chain_node::NodeError;
use vaultstream_event_schemas::chain::{Block, ChainHead, TransactionView};

use crate::bench::Bench;

struct Reader<'a>(&'a dyn ChainNode);

impl ReadBlocks for Reader<'_> {
    type Error = NodeError;
    async fn head(&self) -> Result<ChainHead, NodeError> {
        self.0.head().await
    }
    async fn block_at(&self, height: u64) -> Result<Option<Block>, NodeError> {
        self.0.block_at(height).await
    }
    async fn block_by_hash(&self, hash: &str) -> Result<Option<Block>, NodeError> {
        self.0.block_by_hash(hash).await
    }
}

async fn step(ring: &mut HeadRing, bench: &Bench) -> HeadUpdate {
    ring.advance(&Reader(&bench.node)).await.expect("followed")
}

fn heights(blocks: &[Block]) -> Vec<u64> {
    blocks.iter().map(|block| block.at.height).collect()
}

pub async fn ring_should_follow_a_reorganization_across_a_restart(bench: &Bench) {
    bench.mine(8).await;
    let mut ring = HeadRing::new();
    let first = step(&mut ring, bench).await;
    let tip = bench.tip().await.height;
    assert_eq!(heights(&first.attached), ((tip - 5)..=tip).collect::<Vec<_>>());
    assert_eq!(first.head.tip.at, bench.tip().await);
    bench.mine(2).await;
    assert_eq!(
        heights(&step(&mut ring, bench).await.attached),
        [tip + 1, tip + 2]
    );

    let kept = ring.to_bytes();
    let old = [0, 1, 2].map(|up| ring.at(tip + up));
    bench.engine.reorganize(3).await;
    bench.mine(1).await;
    let mut ring = HeadRing::from_bytes(&kept).expect("our own bytes");
    let update = step(&mut ring, bench).await;
    assert_eq!(heights(&update.detached), [tip + 2, tip + 1, tip], "{update:?}");
    let now = bench.tip().await.height;
    assert!(now > tip + 2, "the new branch is the longer one");
    assert_eq!(heights(&update.attached), (tip..=now).collect::<Vec<_>>());
    assert_eq!(update.breach, None);
    for (up, old) in (0..).zip(old) {
        let now = ring.at(tip + up);
        assert!(
            now.is_some() && now != old,
            "height {} is another block now",
            tip + up
        );
        let block = bench.node.block_at(tip + up).await.expect("a block");
        assert_eq!(now, block.map(|block| block.at));
    }
    assert!(step(&mut ring, bench).await.attached.is_empty());
}

/// Reads all facts in the order the verdict wants them.
async fn judge(bench: &Bench, ring: &mut HeadRing, from: &str, slot: u64, txid: &str) -> Verdict {
    let head = step(ring, bench).await.head;
    let read = async |at: &vaultstream_event_schemas::chain::BlockRef| SlotsRead {
        at: at.clone(),
        consumed: bench.node.slots_consumed(from, at).await.expect("slots"),
    };
    let (at_finalized, at_tip) = (Some(read(&head.finalized).await), Some(read(&head.tip.at).await));
    let view = bench.view(txid).await;
    let followed = match &view {
        TransactionView::Included { block, .. } => ring.at(block.height),
        _ => None,
    };
    let attempts = vec![Attempt {
        txid: txid.to_owned(),
        view,
        followed,
    }];
    verdict(&Facts {
        head,
        slot,
        attempts,
        at_finalized,
        at_tip,
    })
}

pub async fn detached_transaction_should_not_count_as_included(bench: &Bench) {
    let wallet = bench.funded(50).await;
    // Deep enough that the reorganization below leaves the money alone.
    bench.mine(3).await;
    let mut ring = HeadRing::new();
    let ours = bench.payment(&wallet, 0, 1).await;
    let rival = bench.payment(&wallet, 0, 2).await;
    assert_eq!(
        judge(bench, &mut ring, &wallet.address, 0, &ours.txid).await,
        Verdict::Unseen
    );
    bench.accept(&ours).await;
    bench.mine(1).await;
    let verdict = judge(bench, &mut ring, &wallet.address, 0, &ours.txid).await;
    assert!(
        matches!(&verdict, Verdict::Included(i) if i.confirmations == 1),
        "{verdict:?}"
    );
    bench.engine.reorganize(2).await;
    let verdict = judge(bench, &mut ring, &wallet.address, 0, &ours.txid).await;
    assert!(
        matches!(
            &verdict,
            Verdict::Unseen | Verdict::Pooled(_) | Verdict::Included(_)
        ),
        "a detached payment is not dead: {verdict:?}"
    );
    // The rival's view of the same slot: consumed by ours, first contested, dead only when that is final.
    bench.send(&ours).await;
    bench.mine(1).await;
    bench.expect_included(&ours.txid, true).await;
    let verdict = judge(bench, &mut ring, &wallet.address, 0, &rival.txid).await;
    assert!(matches!(&verdict, Verdict::Contested(_)), "{verdict:?}");
    bench.mine(7).await;
    let verdict = judge(bench, &mut ring, &wallet.address, 0, &rival.txid).await;
    assert!(matches!(&verdict, Verdict::SlotConsumedByOther(_)), "{verdict:?}");
    let verdict = judge(bench, &mut ring, &wallet.address, 0, &ours.txid).await;
    assert!(
        matches!(&verdict, Verdict::Final(i) if i.succeeded && i.confirmations >= 8),
        "{verdict:?}"
    );
}
