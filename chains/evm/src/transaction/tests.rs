//! The differential against ethers-core is here: on random plans both libraries must write the same bytes.

use ethers_core::types as ethers;
use ethers_core::types::transaction::eip2718::TypedTransaction;
use k256::ecdsa::SigningKey;
use proptest::prelude::*;

use super::*;
use crate::address::address_of;

fn key(seed: u8) -> SigningKey {
    SigningKey::from_slice(&[seed; 32]).expect("a scalar")
}

fn address(key: &SigningKey) -> Address {
    address_of(key.verifying_key().to_encoded_point(true).as_bytes()).expect("a point")
}

fn sign(key: &SigningKey, digest: &B256) -> Vec<u8> {
    let (signature, recovery) = key
        .sign_prehash_recoverable(digest.as_slice())
        .expect("a digest of 32 bytes");
    let mut bytes = signature.to_bytes().to_vec();
    bytes.push(recovery.to_byte());
    bytes
}

fn sample(key: &SigningKey) -> EvmPlan {
    EvmPlan {
        chain_id: 31_337,
        data: "0x".to_owned(),
        from: checksummed(&address(key)),
        gas_limit: 21_000,
        max_fee_per_gas: Amount::from_u128(2_000_000_000),
        max_priority_fee_per_gas: Amount::from_u128(1_000_000_000),
        nonce: 7,
        to: "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB".to_owned(),
        value: Amount::from_u128(1),
    }
}

/// A transaction of Ethereum's main chain; its hash, sender and signature are public record.
fn mainnet() -> (EvmPlan, Vec<u8>) {
    let plan = EvmPlan {
        chain_id: 1,
        data: format!(
            "0xa22cb465{:0>64}{:0>64}",
            "5eee75727d804a2b13038928d36f8b188945a57a", ""
        ),
        from: "0xdd6b8b3dc6b7ad97db52f08a275ff4483e024cea".to_owned(),
        gas_limit: 44_386,
        max_fee_per_gas: Amount::from_u128(20_000_000_000),
        max_priority_fee_per_gas: Amount::from_u128(1_000_000_000),
        nonce: 66,
        to: "0x6069a6c32cf691f5982febae4faf8a6f3ab2f0f6".to_owned(),
        value: Amount::ZERO,
    };
    let r = "840cfc572845f5786e702984c2a582528cad4b49b2a10b9db1be7fca90058565";
    let s = "25e7109ceb98168d95b09b18bbf6b685130e0562f233877d492b94eee0c5b6d1";
    (plan, hex::decode(format!("{r}{s}00")).expect("hex"))
}

#[test]
fn mainnet_transaction_should_have_its_public_id() {
    let (plan, signature) = mainnet();
    let signed = assemble(&plan, &signature).expect("the sender's signature");
    assert_eq!(
        signed.txid,
        "0x0ec0b6a2df4d87424e5f6ad2a654e27aaeb7dac20ae9e8385cc09087ad532ee0"
    );
    let decoded = decode(&signed.raw).expect("our own bytes");
    assert_eq!(decoded.plan.from.to_lowercase(), plan.from);
    assert_eq!(
        format!("{:#x}", decoded.digest),
        "0x0d5688ac3897124635b6cf1bc0e29d6dfebceebdc10a54d74f2ef8b56535b682"
    );
}

#[test]
fn high_s_should_become_low_and_keep_the_id() {
    let (plan, low) = mainnet();
    let order = U256::from_be_bytes(curve_order());
    let s = U256::from_be_slice(&low[32..64]);
    let mut high = low.clone();
    high[32..64].copy_from_slice(&(order - s).to_be_bytes::<32>());
    high[64] = 1 - low[64];
    assert_eq!(assemble(&plan, &high), assemble(&plan, &low));

    let mut raw = Vec::new();
    let (_, transaction) = unsigned(&plan).expect("a plan");
    let signature = Signature::from_bytes_and_parity(&high[..64], high[64] == 1);
    transaction.eip2718_encode(&signature, &mut raw);
    let error = decode(&hex::encode_prefixed(raw)).expect_err("malleable bytes");
    assert!(error.to_string().contains("EIP-2"), "{error}");
}

fn curve_order() -> [u8; 32] {
    let text = "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141";
    hex::decode(text).expect("hex").try_into().expect("32 bytes")
}

#[test]
fn signature_of_another_key_or_plan_should_be_refused() {
    let (ours, theirs) = (key(1), key(2));
    let plan = sample(&ours);
    let digest = digest(&plan).expect("a plan");
    let foreign = assemble(&plan, &sign(&theirs, &digest));
    let expected = TransactionError::Signer {
        signer: address(&theirs),
        from: address(&ours),
    };
    assert_eq!(foreign, Err(expected));
    let mut other = plan;
    other.nonce += 1;
    let stale = assemble(&other, &sign(&ours, &digest));
    assert!(matches!(stale, Err(TransactionError::Signer { .. })), "{stale:?}");
}

#[test]
fn broken_signatures_should_be_refused() {
    let ours = key(3);
    let plan = sample(&ours);
    let good = sign(&ours, &digest(&plan).expect("a plan"));
    let refused = |bytes: &[u8]| assemble(&plan, bytes).expect_err("must be refused").to_string();
    assert!(refused(&good[..64]).contains("65 bytes"));
    assert!(refused(&[]).contains("65 bytes"));
    assert!(refused(&[&good[..64], &[27]].concat()).contains("recovery id"));
    assert!(refused(&[0; 65]).contains("no scalar"));
    assert!(refused(&[&[0xff; 64][..], &[0]].concat()).contains("no scalar"));
    assert!(assemble(&plan, &good).is_ok());
}

#[test]
fn plans_that_no_transaction_can_carry_should_name_the_field() {
    let refused = |change: fn(&mut EvmPlan)| {
        let mut plan = sample(&key(1));
        change(&mut plan);
        digest(&plan).expect_err("must be refused").to_string()
    };
    assert!(refused(|p| p.to = "0x".to_owned()).contains("plan's to"));
    assert!(refused(|p| p.from = String::new()).contains("plan's from"));
    assert!(refused(|p| p.data = "00".to_owned()).contains("plan's data"));
    assert!(refused(|p| p.data = "0x0".to_owned()).contains("plan's data"));
    let huge = |p: &mut EvmPlan| p.max_fee_per_gas = Amount::from_be_bytes([0xff; 32]);
    assert!(refused(huge).contains("max_fee_per_gas"));
}

#[test]
fn foreign_bytes_should_be_refused() {
    let ours = key(4);
    let plan = sample(&ours);
    let signed = assemble(&plan, &sign(&ours, &digest(&plan).expect("a plan"))).expect("signed");
    assert_eq!(txid(&signed.raw), Ok(signed.txid.clone()));
    let appended = format!("{}00", signed.raw);
    let long = format!("0x{}", "00".repeat(RAW_BYTES_MAX + 1));
    for bad in [
        "",
        "0x",
        "0x02",
        "0x01",
        "02",
        "0xzz",
        &signed.raw[..100],
        &appended,
        &long,
    ] {
        assert!(decode(bad).is_err(), "{:?}", bad.get(..20));
    }
    let (_, mut transaction) = unsigned(&plan).expect("a plan");
    transaction.to = TxKind::Create;
    let signature =
        Signature::from_bytes_and_parity(&sign(&ours, &transaction.signature_hash())[..64], false);
    let mut raw = Vec::new();
    transaction.eip2718_encode(&signature, &mut raw);
    let error = decode(&hex::encode_prefixed(raw)).expect_err("a creation");
    assert!(error.to_string().contains("create a contract"), "{error}");
}

fn ethers_of(plan: &EvmPlan) -> TypedTransaction {
    let number = |amount: Amount| ethers::U256::from_big_endian(&amount.to_be_bytes());
    let at = |text: &str| ethers::Address::from_slice(&hex::decode(text).expect("hex"));
    TypedTransaction::Eip1559(
        ethers::Eip1559TransactionRequest::new()
            .chain_id(plan.chain_id)
            .nonce(plan.nonce)
            .gas(plan.gas_limit)
            .max_fee_per_gas(number(plan.max_fee_per_gas))
            .max_priority_fee_per_gas(number(plan.max_priority_fee_per_gas))
            .to(at(&plan.to))
            .value(number(plan.value))
            .data(hex::decode(&plan.data).expect("hex")),
    )
}

prop_compose! {
    fn any_plan()(
        seed in 1u8..200, numbers: [u64; 3], fees: [u128; 2], value: [u8; 32], to: [u8; 20], data: Vec<u8>, small: bool,
    ) -> (SigningKey, EvmPlan) {
        let key = key(seed);
        let [max_fee, tip] = fees.map(|f| Amount::from_u128(if small { f % 300 } else { f }));
        let plan = EvmPlan {
            chain_id: numbers[0],
            data: hex::encode_prefixed(data),
            from: checksummed(&address(&key)),
            gas_limit: numbers[1],
            max_fee_per_gas: max_fee,
            max_priority_fee_per_gas: tip,
            nonce: if small { numbers[2] % 200 } else { numbers[2] },
            to: checksummed(&Address::from(to)),
            value: Amount::from_be_bytes(value),
        };
        (key, plan)
    }
}

proptest! {
    #[test]
    fn bytes_should_agree_with_ethers((key, plan) in any_plan()) {
        let theirs = ethers_of(&plan);
        let digest = digest(&plan).expect("a plan");
        prop_assert_eq!(digest.0, theirs.sighash().0);

        let signature = sign(&key, &digest);
        let ours = assemble(&plan, &signature).expect("our own key");
        let signature = ethers::Signature {
            r: ethers::U256::from_big_endian(&signature[..32]),
            s: ethers::U256::from_big_endian(&signature[32..64]),
            v: u64::from(signature[64]),
        };
        prop_assert_eq!(&ours.raw, &hex::encode_prefixed(theirs.rlp_signed(&signature)));
        prop_assert_eq!(&ours.txid, &hex::encode_prefixed(theirs.hash(&signature).0));
        let signer = signature.recover(digest.0).expect("recovers");
        prop_assert_eq!(signer.0, address(&key).0.0);
    }

    #[test]
    fn decode_should_undo_assemble((key, plan) in any_plan()) {
        let digest = digest(&plan).expect("a plan");
        let signed = assemble(&plan, &sign(&key, &digest)).expect("our own key");
        let decoded = decode(&signed.raw).expect("our own bytes");
        prop_assert_eq!(decoded, Decoded { plan, digest, txid: signed.txid });
    }

    #[test]
    fn any_changed_byte_should_never_pass_as_the_same((key, plan) in any_plan(), place: prop::sample::Index, bits in 1u8..) {
        let signed = assemble(&plan, &sign(&key, &digest(&plan).expect("a plan"))).expect("our own key");
        let mut bytes = bytes_of(&signed.raw).expect("our own bytes");
        let at = place.index(bytes.len());
        bytes[at] ^= bits;
        if let Ok(decoded) = decode(&hex::encode_prefixed(&bytes)) {
            prop_assert_ne!(decoded.plan.from, plan.from);
        }
    }

    #[test]
    fn any_text_should_be_answered(bytes: Vec<u8>) {
        let _ = decode(&hex::encode_prefixed(&bytes));
        let _ = decode(&hex::encode_prefixed([&[2], &bytes[..]].concat()));
    }
}
