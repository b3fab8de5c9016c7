//! `eth_call` and `eth_estimateGas`: executions that change nothing.

use revm::{
    context::{
        TxEnv,
        result::{EVMError, ExecutionResult, HaltReason, InvalidTransaction},
    },
    primitives::{Address, Bytes, TxKind, U256},
};
use serde_json::{Map, Value, json};

use super::{
    super::{
        Node, RpcError,
        params::{self, Params, Read},
        render,
    },
    Answer,
};
use crate::{
    chain::{BlockRef, Chain},
    execute::{self, BlockFacts, Mode, Refused},
    header::Sealed,
    state::Overlay,
};

const TRANSFER_GAS: u64 = 21_000;

struct Call {
    from: Address,
    to: Option<Address>,
    gas: Option<u64>,
    /// Fee cap and tip; without any, the call is free and the base fee reads as zero.
    fees: Option<(u128, Option<u128>)>,
    value: U256,
    input: Bytes,
}

pub(super) fn call(node: &Node, values: &[Value]) -> Answer {
    let (call, block) = read(values)?;
    let chain = node.chain()?;
    let header = chain.state_header(block)?;
    let gas = call
        .gas
        .unwrap_or(header.header.gas_limit)
        .min(header.header.gas_limit);
    let result = run(&chain, &header, &call, gas).map_err(|refused| explain(refused, &call))?;
    match result {
        ExecutionResult::Success { output, .. } => Ok(json!(render::data(output.data()))),
        ExecutionResult::Revert { output, .. } => Err(reverted(&output)),
        ExecutionResult::Halt { reason, .. } => Err(RpcError::server(halted(&reason))),
    }
}

pub(super) fn estimate(node: &Node, values: &[Value]) -> Answer {
    let (call, block) = read(values)?;
    let chain = node.chain()?;
    let header = chain.state_header(block)?;
    let highest = affordable(&chain, &header, &call)?;
    let plain = call.input.is_empty()
        && call
            .to
            .is_some_and(|to| chain.with_state(&header, |view| view.code_of(&to).is_empty()));
    if plain && highest >= TRANSFER_GAS && succeeds(&chain, &header, &call, TRANSFER_GAS)? {
        return Ok(json!(render::number(TRANSFER_GAS)));
    }
    let result = run(&chain, &header, &call, highest).map_err(|refused| explain(refused, &call))?;
    let used = match result {
        ExecutionResult::Success { gas, .. } => gas.total_gas_spent(),
        ExecutionResult::Revert { output, .. } => return Err(reverted(&output)),
        ExecutionResult::Halt {
            reason: HaltReason::OutOfGas(_),
            ..
        } => {
            return Err(RpcError::server(format!(
                "gas required exceeds allowance ({highest})"
            )));
        }
        ExecutionResult::Halt { reason, .. } => return Err(RpcError::server(halted(&reason))),
    };
    // the least limit that succeeds, to within 1.5 %: between what was used and what was offered
    let (mut low, mut high) = (used.saturating_sub(1).min(highest), highest);
    while low + 1 < high && (high - low) * 1_000 > high * 15 {
        let middle = (low + (high - low) / 2).min(low.saturating_mul(2).max(1));
        if succeeds(&chain, &header, &call, middle)? {
            high = middle;
        } else {
            low = middle;
        }
    }
    Ok(json!(render::number(high)))
}

/// The gas limit to start from: what was asked for, what a block holds, and what the sender can pay.
fn affordable(chain: &Chain, header: &Sealed, call: &Call) -> Result<u64, RpcError> {
    let limit = header.header.gas_limit;
    let offered = call
        .gas
        .filter(|gas| *gas >= TRANSFER_GAS)
        .unwrap_or(limit)
        .min(limit);
    let account = chain
        .with_state(header, |view| view.account(&call.from))
        .unwrap_or_default();
    let Some(left) = account.balance.checked_sub(call.value) else {
        return Err(RpcError::server("insufficient funds for transfer"));
    };
    match call.fees {
        Some((price, _)) if price > 0 => {
            let payable = u64::try_from(left / U256::from(price)).unwrap_or(u64::MAX);
            Ok(offered.min(payable))
        }
        _ => Ok(offered),
    }
}

fn succeeds(chain: &Chain, header: &Sealed, call: &Call, gas: u64) -> Result<bool, RpcError> {
    match run(chain, header, call, gas) {
        Ok(result) => Ok(result.is_success()),
        Err(EVMError::Transaction(
            InvalidTransaction::CallGasCostMoreThanGasLimit { .. }
            | InvalidTransaction::GasFloorMoreThanGasLimit { .. },
        )) => Ok(false),
        Err(refused) => Err(explain(refused, call)),
    }
}

fn run(chain: &Chain, header: &Sealed, call: &Call, gas: u64) -> Result<ExecutionResult, Refused> {
    let mut facts = BlockFacts::of(&header.header);
    let (price, tip) = call.fees.unwrap_or((0, None));
    if price == 0 {
        facts.base_fee = 0;
    }
    let env = TxEnv {
        tx_type: if tip.is_some() { 2 } else { 0 },
        caller: call.from,
        gas_limit: gas,
        gas_price: price,
        gas_priority_fee: tip,
        kind: call.to.map_or(TxKind::Create, TxKind::Call),
        value: call.value,
        data: call.input.clone(),
        chain_id: Some(chain.genesis.chain_id),
        ..TxEnv::default()
    };
    let outcome = chain.with_state(header, |view| {
        execute::run(
            &mut Overlay::new(view),
            &facts,
            chain.genesis.chain_id,
            env,
            Mode::Call,
        )
    });
    outcome.map(|(result, _)| result)
}

fn read(values: &[Value]) -> Result<(Call, BlockRef), RpcError> {
    let params = Params::at_most(values, 3)?;
    let call = params.required(0, |value| arguments(params::object(value)?))?;
    let block = params.optional(1, params::block)?.unwrap_or(BlockRef::Latest);
    if values.get(2).is_some_and(|overrides| !overrides.is_null()) {
        return Err(RpcError::params(
            "invalid argument 2: the sandbox has no state overrides",
        ));
    }
    Ok((call, block))
}

fn arguments(fields: &Map<String, Value>) -> Read<Call> {
    fn field<T>(fields: &Map<String, Value>, name: &str, read: fn(&Value) -> Read<T>) -> Read<Option<T>> {
        let value = fields.get(name).filter(|value| !value.is_null());
        value
            .map(|value| read(value).map_err(|why| format!("{name}: {why}")))
            .transpose()
    }
    let (data, input) = (
        field(fields, "data", params::data)?,
        field(fields, "input", params::data)?,
    );
    if let (Some(data), Some(input)) = (&data, &input)
        && data != input
    {
        return Err(
            "both \"data\" and \"input\" are set and not equal. Please use \"input\" to pass transaction call data"
                .to_owned(),
        );
    }
    let price = field(fields, "gasPrice", params::quantity128)?;
    let cap = field(fields, "maxFeePerGas", params::quantity128)?;
    let tip = field(fields, "maxPriorityFeePerGas", params::quantity128)?;
    let fees = match (price, cap, tip) {
        (Some(_), Some(_), _) | (Some(_), _, Some(_)) => {
            return Err("both gasPrice and (maxFeePerGas or maxPriorityFeePerGas) specified".to_owned());
        }
        (Some(price), None, None) => Some((price, None)),
        (None, None, None) => None,
        (None, cap, tip) => Some((cap.or(tip).unwrap_or(0), Some(tip.unwrap_or(0)))),
    };
    Ok(Call {
        from: field(fields, "from", params::address)?.unwrap_or_default(),
        to: field(fields, "to", params::address)?,
        gas: field(fields, "gas", params::quantity64)?,
        fees,
        value: field(fields, "value", params::quantity)?.unwrap_or_default(),
        input: input.or(data).unwrap_or_default(),
    })
}

fn explain(refused: Refused, call: &Call) -> RpcError {
    let EVMError::Transaction(reason) = refused else {
        return RpcError::internal(refused.to_string());
    };
    RpcError::server(match reason {
        InvalidTransaction::LackOfFundForMaxFee { fee, balance } => format!(
            "insufficient funds for gas * price + value: address {} have {balance} want {fee}",
            render::data(call.from)
        ),
        InvalidTransaction::CallGasCostMoreThanGasLimit {
            initial_gas,
            gas_limit,
        } => {
            format!("intrinsic gas too low: have {gas_limit}, want {initial_gas}")
        }
        InvalidTransaction::GasPriceLessThanBasefee => "max fee per gas less than block base fee".to_owned(),
        InvalidTransaction::PriorityFeeGreaterThanMaxFee => {
            "max priority fee per gas higher than max fee per gas".to_owned()
        }
        other => other.to_string(),
    })
}

fn halted(reason: &HaltReason) -> String {
    match reason {
        HaltReason::OutOfGas(_) => "out of gas".to_owned(),
        HaltReason::OpcodeNotFound | HaltReason::InvalidFEOpcode => "invalid opcode".to_owned(),
        HaltReason::InvalidJump => "invalid jump destination".to_owned(),
        other => other.to_string(),
    }
}

fn reverted(output: &Bytes) -> RpcError {
    let message = match reason(output) {
        Some(reason) => format!("execution reverted: {reason}"),
        None => "execution reverted".to_owned(),
    };
    RpcError::reverted(message, output)
}

/// The text of Solidity's `Error(string)`, cut at 1,024 bytes.
fn reason(output: &[u8]) -> Option<String> {
    let body = output.strip_prefix(&[0x08, 0xc3, 0x79, 0xa0])?;
    let len = usize::try_from(U256::try_from_be_slice(body.get(32..64)?)?).ok()?;
    let text = body.get(64..)?.get(..len)?;
    Some(String::from_utf8_lossy(&text[..len.min(1_024)]).into_owned())
}
