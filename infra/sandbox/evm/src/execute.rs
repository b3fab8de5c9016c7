//! Running one transaction or call on revm under Cancun rules.

use revm::{
    Context, ExecuteEvm, MainBuilder, MainContext,
    context::{
        BlockEnv, CfgEnv, TxEnv,
        result::{EVMError, ExecutionResult, InvalidTransaction},
    },
    context_interface::block::BlobExcessGasAndPrice,
    primitives::{B256, U256, hardfork::SpecId},
    state::EvmState,
};

use crate::{
    header::{COINBASE, Header},
    state::{Never, Overlay},
};

/// What code can ask about the block it runs in.
#[derive(Clone, Debug)]
pub(crate) struct BlockFacts {
    pub(crate) number: u64,
    pub(crate) timestamp: u64,
    pub(crate) base_fee: u64,
    pub(crate) gas_limit: u64,
    pub(crate) mix_hash: B256,
}

impl BlockFacts {
    pub(crate) fn of(header: &Header) -> Self {
        Self {
            number: header.number,
            timestamp: header.timestamp,
            base_fee: header.base_fee,
            gas_limit: header.gas_limit,
            mix_hash: header.mix_hash,
        }
    }

    fn env(&self) -> BlockEnv {
        BlockEnv {
            number: U256::from(self.number),
            beneficiary: COINBASE,
            timestamp: U256::from(self.timestamp),
            gas_limit: self.gas_limit,
            basefee: self.base_fee,
            difficulty: U256::ZERO,
            prevrandao: Some(self.mix_hash),
            blob_excess_gas_and_price: Some(BlobExcessGasAndPrice::new_with_spec(0, SpecId::CANCUN)),
            slot_num: 0,
        }
    }
}

/// Whether the transaction is signed and will be paid for, or is a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Every protocol rule holds.
    Transaction,
    /// `eth_call` and the like: the nonce is not looked at, and the sender may be a contract.
    Call,
}

pub(crate) type Refused = EVMError<Never, InvalidTransaction>;

/// Runs `tx` and returns its result and what it touched; `db` itself stays as it is.
pub(crate) fn run(
    db: &mut Overlay<'_>,
    block: &BlockFacts,
    chain_id: u64,
    tx: TxEnv,
    mode: Mode,
) -> Result<(ExecutionResult, EvmState), Refused> {
    let mut cfg = CfgEnv::new_with_spec(SpecId::CANCUN).with_chain_id(chain_id);
    if mode == Mode::Call {
        cfg.disable_nonce_check = true;
        cfg.disable_eip3607 = true;
    }
    let context = Context::mainnet()
        .with_db(db)
        .with_cfg(cfg)
        .with_block(block.env());
    let outcome = context.build_mainnet().transact(tx)?;
    Ok((outcome.result, outcome.state))
}
