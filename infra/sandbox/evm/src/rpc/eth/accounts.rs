//! Balances, nonces, code and storage, now or in the past. `pending` reads the head, except for the nonce, which
//! counts the pool's gap-free run too.

use revm::primitives::U256;
use serde_json::{Value, json};

use super::{
    super::{
        Node, RpcError,
        params::{self, Params},
        render,
    },
    Answer,
};
use crate::{chain::BlockRef, state::View};

/// Reads the state after `block`.
fn at<T>(node: &Node, block: BlockRef, read: impl FnOnce(View<'_>) -> T) -> Result<T, RpcError> {
    let chain = node.chain()?;
    let header = chain.state_header(block)?;
    Ok(chain.with_state(&header, read))
}

fn block_or_latest(params: &Params<'_>, index: usize) -> Result<BlockRef, RpcError> {
    Ok(params.optional(index, params::block)?.unwrap_or(BlockRef::Latest))
}

pub(super) fn balance(node: &Node, values: &[Value]) -> Answer {
    let params = Params::at_most(values, 2)?;
    let address = params.required(0, params::address)?;
    let account = at(node, block_or_latest(&params, 1)?, |view| view.account(&address))?;
    Ok(json!(render::number(
        account.map_or(U256::ZERO, |account| account.balance)
    )))
}

pub(super) fn nonce(node: &Node, values: &[Value]) -> Answer {
    let params = Params::at_most(values, 2)?;
    let address = params.required(0, params::address)?;
    let nonce = match block_or_latest(&params, 1)? {
        BlockRef::Pending => node.chain()?.pending_nonce(&address),
        block => at(node, block, |view| {
            view.account(&address).map_or(0, |account| account.nonce)
        })?,
    };
    Ok(json!(render::number(nonce)))
}

pub(super) fn code(node: &Node, values: &[Value]) -> Answer {
    let params = Params::at_most(values, 2)?;
    let address = params.required(0, params::address)?;
    let code = at(node, block_or_latest(&params, 1)?, |view| view.code_of(&address))?;
    Ok(json!(render::data(code)))
}

pub(super) fn storage(node: &Node, values: &[Value]) -> Answer {
    let params = Params::at_most(values, 3)?;
    let address = params.required(0, params::address)?;
    let slot = params.required(1, params::slot)?;
    let value = at(node, block_or_latest(&params, 2)?, |view| {
        view.slot(&address, &slot)
    })?;
    Ok(json!(render::data(value.to_be_bytes::<32>())))
}
