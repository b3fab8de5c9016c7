//! Blocks, transactions and receipts.

use serde_json::{Value, json};

use super::{
    super::{
        Node, RpcError,
        params::{self, Params},
        render::{self, Place},
    },
    Answer,
};
use crate::chain::BlockRef;

pub(super) fn head_number(node: &Node) -> Answer {
    Ok(json!(render::number(node.chain()?.head().header.number)))
}

pub(super) fn by_number(node: &Node, values: &[Value]) -> Answer {
    let params = Params::at_most(values, 2)?;
    let wanted = params.required(0, params::block_number)?;
    let full = params.optional(1, params::boolean)?.unwrap_or(false);
    show(node, wanted, full)
}

pub(super) fn by_hash(node: &Node, values: &[Value]) -> Answer {
    let params = Params::at_most(values, 2)?;
    let wanted = BlockRef::Hash(params.required(0, params::hash)?);
    let full = params.optional(1, params::boolean)?.unwrap_or(false);
    show(node, wanted, full)
}

fn show(node: &Node, wanted: BlockRef, full: bool) -> Answer {
    let mut chain = node.chain()?;
    let found = match wanted {
        BlockRef::Pending => Some(chain.pending(node.now())?),
        other => chain.block(other)?,
    };
    Ok(found.map_or(Value::Null, |block| render::block(&block, full)))
}

pub(super) fn receipts(node: &Node, values: &[Value]) -> Answer {
    let wanted = Params::at_most(values, 1)?.required(0, params::block)?;
    if wanted == BlockRef::Pending {
        return Err(RpcError::server("pending receipts is not available"));
    }
    let Some(block) = node.chain()?.block(wanted)? else {
        return Ok(Value::Null);
    };
    Ok((0..block.receipts.len())
        .map(|position| render::receipt(&block, position))
        .collect())
}

pub(super) fn transaction(node: &Node, values: &[Value]) -> Answer {
    let hash = Params::at_most(values, 1)?.required(0, params::hash)?;
    let chain = node.chain()?;
    if let Some((block, position)) = chain.mined(&hash)? {
        let place = Place {
            block: &block.sealed,
            position,
        };
        return Ok(block
            .transactions
            .get(position)
            .map_or(Value::Null, |tx| render::transaction(tx, Some(&place))));
    }
    Ok(chain
        .waiting(&hash)
        .map_or(Value::Null, |tx| render::transaction(&tx, None)))
}

pub(super) fn receipt(node: &Node, values: &[Value]) -> Answer {
    let hash = Params::at_most(values, 1)?.required(0, params::hash)?;
    let mined = node.chain()?.mined(&hash)?;
    Ok(mined
        .and_then(|(block, position)| render::receipt(&block, position))
        .unwrap_or(Value::Null))
}
