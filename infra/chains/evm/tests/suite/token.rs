//! The least token that can be transferred: two functions over one storage word an owner, assembled by hand. Its maker
//! gets a million units; a transfer of more than one has reverts with "not enough".

use alloy_consensus::transaction::RlpEcdsaEncodableTx;
use alloy_consensus::{SignableTransaction, TxEip1559};
use alloy_primitives::{Address, Signature, TxKind, hex, keccak256};
use vaultstream_chain_evm::checksummed;
use vaultstream_event_schemas::chain::RawTransaction;
use vaultstream_event_schemas::execution::v1::BroadcastOutcome;

use vaultstream_domain::ports::ChainNode;

use crate::bench::{Bench, CHAIN};
use crate::wallet::Wallet;

pub const SUPPLY: u128 = 1_000_000;

/// Appends `PUSHn value`.
fn push(code: &mut Vec<u8>, value: &[u8]) {
    code.push(0x5f + u8::try_from(value.len()).expect("at most 32 bytes"));
    code.extend_from_slice(value);
}

fn runtime() -> Vec<u8> {
    let dispatch = |balance_at: u8, transfer_at: u8| {
        // CALLDATALOAD(0) >> 224
        let mut code = hex::decode("5f3560e01c").expect("hex");
        for (selector, at) in [
            ([0x70, 0xa0, 0x82, 0x31], balance_at),
            ([0xa9, 0x05, 0x9c, 0xbb], transfer_at),
        ] {
            code.push(0x80); // DUP1
            push(&mut code, &selector);
            code.push(0x14); // EQ
            push(&mut code, &[at]);
            code.push(0x57); // JUMPI
        }
        code.extend(hex::decode("5f5ffd").expect("hex")); // REVERT
        code
    };
    // JUMPDEST, return SLOAD(owner)
    let balance = hex::decode("5b600435545f5260205ff3").expect("hex");
    let transfer = |fail_at: u8| {
        // JUMPDEST, amount, SLOAD(CALLER), jump when it is less
        let mut code = hex::decode("5b602435335481811060").expect("hex");
        code.push(fail_at);
        // SSTORE(CALLER, balance - amount), SSTORE(to, SLOAD(to) + amount), return 1
        code.extend(hex::decode("57819003335560043580548201905560015f5260205ff3").expect("hex"));
        code
    };
    let at = |code: &[u8]| u8::try_from(code.len()).expect("a small program");
    let balance_at = at(&dispatch(0, 0));
    let transfer_at = balance_at + at(&balance);
    let fail_at = transfer_at + at(&transfer(0));
    let mut code = [dispatch(balance_at, transfer_at), balance, transfer(fail_at)].concat();
    // JUMPDEST, REVERT Error("not enough")
    code.extend(hex::decode("5b6308c379a060e01b5f52602060045260").expect("hex"));
    code.extend([0x0a, 0x60, 0x24, 0x52]);
    push(&mut code, b"not enough");
    code.extend(hex::decode("60b01b60445260645ffd").expect("hex"));
    code
}

fn creation() -> Vec<u8> {
    let runtime = runtime();
    let mut code = Vec::new();
    push(&mut code, &[0x0f, 0x42, 0x40]);
    code.extend([0x33, 0x55]); // SSTORE(CALLER, a million)
    let length = u8::try_from(runtime.len()).expect("a small program");
    push(&mut code, &[length]);
    code.push(0x80); // DUP1
    let offset = u8::try_from(code.len() + 6).expect("a small program");
    push(&mut code, &[offset]);
    code.extend([0x5f, 0x39, 0x5f, 0xf3]); // CODECOPY, RETURN
    [code, runtime].concat()
}

/// Deploys the token from a fresh wallet's first nonce and answers its address.
pub async fn deploy(bench: &Bench, maker: &Wallet) -> String {
    let transaction = TxEip1559 {
        chain_id: CHAIN,
        nonce: 0,
        gas_limit: 500_000,
        max_fee_per_gas: 10_000_000_000,
        max_priority_fee_per_gas: 1_000_000_000,
        to: TxKind::Create,
        input: creation().into(),
        ..TxEip1559::default()
    };
    let bytes = maker.sign_digest(transaction.signature_hash().as_slice());
    let signature = Signature::from_bytes_and_parity(&bytes[..64], bytes[64] == 1);
    let mut raw = Vec::new();
    transaction.eip2718_encode(&signature, &mut raw);
    let transaction = RawTransaction {
        txid: format!("{:#x}", keccak256(&raw)),
        raw: hex::encode_prefixed(raw),
    };
    let answer = bench.node.broadcast(&transaction).await;
    assert_eq!(answer.outcome, BroadcastOutcome::Accepted, "{}", answer.detail);
    bench.mine(1).await;
    bench.expect_included(&transaction.txid, true).await;
    let maker: Address = maker.address.parse().expect("an address");
    checksummed(&maker.create(0))
}
