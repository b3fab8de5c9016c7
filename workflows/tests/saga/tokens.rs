//! Tokens (ERC-20): the amount goes in the token and the fee in ether; where either is missing nothing is signed.

use vaultstream_domain::error::Coded;
use vaultstream_domain::execution::{Execution, spendable};
use vaultstream_domain::transfer::execution_id;
use vaultstream_event_schemas::chain::AssetSettings;
use vaultstream_event_schemas::organization::v1::Approval;
use vaultstream_event_schemas::transfer::v1::Requested;
use vaultstream_event_schemas::{AssetId, ErrorCode, TransferId, TransferStatus};

use crate::audit::count;
use crate::net::{ETHER, Net};
use crate::process::Process;
use crate::script::Script;
use crate::signer::{Key, Plan, keccak};
use crate::token;
use crate::unwound::failed_with;
use crate::world::World;

/// Whoever made the token and has all of it.
fn maker() -> Key {
    Key::new(1)
}

fn text(address: [u8; 20]) -> String {
    format!("0x{}", hex::encode(address))
}

fn bytes(address: &str) -> [u8; 20] {
    let bytes = hex::decode(address.trim_start_matches("0x")).expect("hex");
    bytes.try_into().expect("20 bytes")
}

/// Where the maker's first transaction puts a contract.
fn contract() -> [u8; 20] {
    let mut list = rlp::RlpStream::new_list(2);
    list.append(&maker().address().as_slice()).append(&0u64);
    keccak(&list.out())[12..].try_into().expect("20 of 32 bytes")
}

/// A chain with the token, which is listed beside ether.
async fn net_with_token() -> (Net, AssetId) {
    let mut net = Net::start().await;
    net.fund(&text(maker().address()), ETHER).await;
    net.mine(1).await;
    let creation = Plan {
        to: None,
        gas: 500_000,
        input: token::creation(),
        ..Plan::pay(0, [0; 20], 0)
    };
    net.include(&maker().sign(&creation)).await;
    let id = format!("{}/erc20:{}", net.settings.id, text(contract()));
    let id = AssetId::try_new(&id).expect("an asset");
    net.settings.assets.push(AssetSettings {
        id: id.clone(),
        symbol: "TKN".to_owned(),
        decimals: 2,
    });
    (net, id)
}

/// An account that was seen to hold so many wei and units of the token.
async fn account_with<'n>(net: &'n Net, token: &AssetId, wei: u128, units: u128) -> (World<'n>, Process) {
    let world = World::ready(net, Approval::None, wei).await;
    let account = bytes(&world.address().await.expect("open"));
    let give = Plan {
        gas: 100_000,
        input: token::transfer(account, units),
        ..Plan::pay(1, contract(), 0)
    };
    net.include(&maker().sign(&give)).await;
    let process = Process::start(&world, Script::calm());
    let process = world
        .drive(process, async || world.holds_of(token).await == units)
        .await;
    (world, process)
}

async fn ask(world: &World<'_>, token: &AssetId, units: u128) -> Result<TransferId, ErrorCode> {
    let request = Requested {
        asset: token.clone(),
        ..world.intent(units, None)
    };
    world.ask(request).await.map_err(|error| error.code())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn token_should_be_paid_in_itself_and_its_fee_in_ether() {
    let (net, token) = net_with_token().await;
    let (world, process) = account_with(&net, &token, ETHER, 1_000).await;
    let transfer = ask(&world, &token, 400).await.expect("requested");
    let process = world.settle(process, &[transfer]).await;
    assert_eq!(world.status(transfer).await, TransferStatus::Completed);

    let execution = world.load::<Execution>(execution_id(transfer)).await;
    let inclusion = execution.inclusion.expect("it was included");
    let fee = inclusion.fee.to_u128().expect("a fee");
    assert!(fee > 21_000, "a call costs something");
    let account = world.address().await.expect("open");
    for (address, units, wei) in [(&world.payee, 400, 0), (&account, 600, ETHER - fee)] {
        assert_eq!(net.balance_of(address, &token).await, units);
        assert_eq!(net.balance(address).await, wei);
    }
    let seen = async || world.holds_of(&token).await == 600 && world.holds().await == ETHER - fee;
    world.drive(process, seen).await;
    let (account, slots) = (world.state().await, world.slots().await);
    let free = spendable(&account, &slots, &token).to_u128();
    assert_eq!(free, Some(600), "nothing is held back");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn missing_tokens_should_refuse_the_request_and_end_the_loser_of_a_race() {
    let (net, token) = net_with_token().await;
    let (world, process) = account_with(&net, &token, ETHER, 1_000).await;
    assert_eq!(
        ask(&world, &token, 1_001).await,
        Err(ErrorCode::InsufficientFunds),
        "ether does not count"
    );
    let first = ask(&world, &token, 600).await.expect("requested");
    let second = ask(&world, &token, 600).await.expect("nothing is reserved yet");
    world.settle(process, &[first, second]).await;
    let (winner, loser) = match world.status(first).await {
        TransferStatus::Completed => (first, second),
        _ => (second, first),
    };
    assert_eq!(world.status(winner).await, TransferStatus::Completed);
    failed_with(&world, loser, ErrorCode::InsufficientFunds).await;
    assert_eq!(net.balance_of(&world.payee, &token).await, 600, "one of the two");
    let account = world.address().await.expect("open");
    assert_eq!(net.sent(&account).await, 1, "the other one was never signed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn missing_ether_for_the_fee_should_end_it_before_anything_is_held() {
    let (net, token) = net_with_token().await;
    // Tokens enough, and ether for no fee.
    let (world, process) = account_with(&net, &token, 1_000, 1_000).await;
    let transfer = ask(&world, &token, 400).await.expect("requested");
    world.settle(process, &[transfer]).await;
    failed_with(&world, transfer, ErrorCode::InsufficientFunds).await;
    assert_eq!(count(&world, world.account.slots(), "slots.reserved").await, 0);
    let account = world.address().await.expect("open");
    assert_eq!(net.sent(&account).await, 0);
    assert_eq!(net.balance_of(&account, &token).await, 1_000);
}
