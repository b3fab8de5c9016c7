//! What plans are drawn up, what is refused, and that every plan passes the check of its signer.

use proptest::prelude::*;
use vaultstream_event_schemas::chain::BlockRef;
use vaultstream_event_schemas::{AssetId, ErrorCode};

use super::*;
use crate::check::check_plan;

const TO: &str = "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB";
const FROM: &str = "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359";
const TOKEN: &str = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed";

fn intent(asset: &str, amount: u128) -> Intent {
    Intent {
        amount: Amount::from_u128(amount),
        asset: AssetId::try_new(asset).expect("an asset"),
        destination: TO.to_owned(),
        source: FROM.to_owned(),
    }
}

fn native() -> Intent {
    intent("eip155:31337/slip44:60", 1_000)
}

fn quote(floor: u128, target: u128, ceiling: u128, tip: u128) -> FeeQuote {
    let at = BlockRef {
        hash: "0x00".to_owned(),
        height: 9,
    };
    let [floor, target, ceiling, tip] = [floor, target, ceiling, tip].map(Amount::from_u128);
    FeeQuote {
        at,
        ceiling,
        floor,
        target,
        tip,
    }
}

#[test]
fn native_transfer_should_send_value_and_no_data() {
    let mut wanted = native();
    wanted.source = FROM.to_lowercase();
    let drawn = plan(&wanted, 31_337, 4, 21_000, &quote(1, 20, 30, 2), None).expect("a plan");
    let expected = EvmPlan {
        chain_id: 31_337,
        data: "0x".to_owned(),
        from: FROM.to_owned(),
        gas_limit: 21_000,
        max_fee_per_gas: Amount::from_u128(20),
        max_priority_fee_per_gas: Amount::from_u128(2),
        nonce: 4,
        to: TO.to_owned(),
        value: Amount::from_u128(1_000),
    };
    assert_eq!(drawn, expected);
}

#[test]
fn token_transfer_should_call_the_contract_and_send_nothing() {
    let wanted = intent(&format!("eip155:31337/erc20:{TOKEN}"), 0x0102);
    let drawn = plan(&wanted, 31_337, 0, 60_000, &quote(1, 20, 30, 2), None).expect("a plan");
    assert_eq!((drawn.to.as_str(), drawn.value), (TOKEN, Amount::ZERO));
    let data = format!("0xa9059cbb{:0>64}{:0>64}", TO[2..].to_lowercase(), "102");
    assert_eq!(drawn.data, data);
}

#[test]
fn fee_cap_should_hold_to_the_last_wei() {
    let quote = quote(1, 20, 30, 2);
    let capped = |cap: u128| plan(&native(), 31_337, 0, 21_000, &quote, Some(Amount::from_u128(cap)));
    assert!(capped(420_000).is_ok());
    let error = capped(419_999).expect_err("one wei short");
    assert_eq!(error.code(), ErrorCode::FeeCapExceeded);
    let high = super::plan(&native(), 31_337, 0, 21_000, &self::quote(31, 31, 30, 0), None);
    assert_eq!(
        high.expect_err("above the ceiling").code(),
        ErrorCode::FeeCapExceeded
    );
}

#[test]
fn what_cannot_be_sent_should_be_refused_with_its_code() {
    let refused = |change: fn(&mut Intent), nonce, gas| {
        let mut wanted = native();
        change(&mut wanted);
        plan(&wanted, 31_337, nonce, gas, &quote(1, 2, 3, 1), None)
            .expect_err("must be refused")
            .code()
    };
    let code = |change| refused(change, 0, 21_000);
    assert_eq!(code(|i| i.amount = Amount::ZERO), ErrorCode::InvalidAmount);
    assert_eq!(
        code(|i| i.destination = "0x1".to_owned()),
        ErrorCode::InvalidAddress
    );
    assert_eq!(
        code(|i| i.destination = TO.replace('F', "f")),
        ErrorCode::InvalidChecksum
    );
    assert_eq!(
        code(|i| i.destination = format!("0x{}", "0".repeat(40))),
        ErrorCode::InvalidAddress
    );
    assert_eq!(code(|i| i.source = String::new()), ErrorCode::InvalidAddress);
    let elsewhere = |i: &mut Intent| i.asset = AssetId::try_new("eip155:1/slip44:60").expect("an asset");
    assert_eq!(code(elsewhere), ErrorCode::UnknownChain);
    assert_eq!(refused(|_| (), u64::MAX, 21_000), ErrorCode::LimitReached);
    assert_eq!(refused(|_| (), 0, 20_999), ErrorCode::RejectedByNetwork);
    assert_eq!(refused(|_| (), 0, 16_777_217), ErrorCode::RejectedByNetwork);
}

proptest! {
    #[test]
    fn any_plan_should_pass_its_own_check(
        amount: [u8; 32], nonce: u64, gas in 0u64..20_000_000, fees: [u128; 4], token: bool, cap: Option<u128>,
    ) {
        let mut wanted = native();
        wanted.amount = Amount::from_be_bytes(amount);
        if token {
            wanted.asset = AssetId::try_new(&format!("eip155:31337/erc20:{TOKEN}")).expect("an asset");
        }
        let quote = quote(fees[0], fees[1], fees[2], fees[3]);
        let cap = cap.map(Amount::from_u128);
        if let Ok(drawn) = plan(&wanted, 31_337, nonce, gas, &quote, cap) {
            prop_assert_eq!(check_plan(&drawn, &wanted, 31_337), Ok(()));
            let fee = vaultstream_event_schemas::chain::Plan::Evm(drawn).fee_max().expect("fits");
            prop_assert!(cap.is_none_or(|cap| fee <= cap));
        }
    }
}
