//! A token (ERC-20) through the whole product: listed as an asset, held, sent; and what is missing of it or of ether.

use anyhow::{Context, Result, ensure};
use serde_json::json;
use vaultstream_client::{RequestTransfer, Vault};
use vaultstream_event_schemas::{ErrorCode, TransferStatus};

use crate::chain::Chain;
use crate::product::{ETHER, Product, Setup, account, address, problem, transfer_body, until};
use crate::signer::{Key, Plan, keccak};
use crate::token;

/// A token on a sandbox chain, and whoever made it and has all of it.
struct Token {
    maker: Key,
    contract: [u8; 20],
    /// How many transactions the maker has sent.
    sent: u64,
}

fn text(bytes: &[u8]) -> String {
    format!("0x{}", hex::encode(bytes))
}

impl Token {
    async fn deploy(chain: &Chain) -> Result<Self> {
        let maker = Key::new(1);
        let rich = json!([text(&maker.address()), ETHER.to_string()]);
        chain.control("sandbox_faucet", rich).await?;
        chain.advance(1).await?;
        // Where a key's first transaction puts a contract.
        let mut list = rlp::RlpStream::new_list(2);
        list.append(&maker.address().as_slice()).append(&0u64);
        let contract = keccak(&list.out())[12..].try_into()?;
        let mut token = Self {
            maker,
            contract,
            sent: 0,
        };
        let creation = Plan {
            to: None,
            gas: 500_000,
            input: token::creation(),
            ..Plan::pay(0, [0; 20], 0)
        };
        token.send(chain, &creation).await?;
        Ok(token)
    }

    /// Sends what the maker signs, and waits until it is in a block and did not revert.
    async fn send(&mut self, chain: &Chain, plan: &Plan) -> Result<()> {
        let raw = text(&self.maker.sign(plan));
        let hash = chain.rpc("eth_sendRawTransaction", json!([raw])).await?;
        self.sent += 1;
        let receipt = until("the maker's transaction is included", || async {
            let receipt = chain.rpc("eth_getTransactionReceipt", json!([hash])).await?;
            Ok((!receipt.is_null()).then_some(receipt))
        })
        .await?;
        ensure!(receipt["status"] == "0x1", "{receipt}");
        Ok(())
    }

    /// Gives units to a vault's account.
    async fn give(&mut self, chain: &Chain, vault: &Vault, units: u128) -> Result<()> {
        let to: [u8; 20] = hex::decode(address(vault)?.trim_start_matches("0x"))?
            .try_into()
            .ok()
            .context("an address has 20 bytes")?;
        let give = Plan {
            gas: 100_000,
            input: token::transfer(to, units),
            ..Plan::pay(self.sent, self.contract, 0)
        };
        self.send(chain, &give).await
    }

    fn asset(&self) -> String {
        format!("eip155:31337/erc20:{}", text(&self.contract))
    }

    /// The chain's configuration with the token as its second asset.
    fn config(&self, chain: &Chain) -> String {
        let ether = "symbol = \"ETH\", decimals = 18 }";
        let token = format!(
            ", {{ id = \"{}\", symbol = \"TKN\", decimals = 2 }}",
            self.asset()
        );
        chain.config().replace(ether, &format!("{ether}{token}"))
    }

    fn transfer(&self, from: &Vault, to: &str, units: u128) -> RequestTransfer {
        RequestTransfer {
            asset: self.asset(),
            ..transfer_body(from, to, &units.to_string())
        }
    }

    /// Waits until an account was seen to hold so much.
    async fn is_seen(&self, product: &Product, vault: &Vault, units: u128) -> Result<()> {
        let (account, asset) = (account(vault)?, self.asset());
        until("the token's balance is read from the chain", || async {
            let account = product.client.account(&account).await?.body;
            let held = account.balances.iter().find(|b| b.amount.asset.as_str() == asset);
            let units_held = held.and_then(|b| b.amount.minor.to_u128()).unwrap_or(0);
            Ok((units_held == units).then_some(()))
        })
        .await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn token_should_be_sent_and_what_is_missing_be_said() -> Result<()> {
    let chain = Chain::sandbox()?;
    let mut token = Token::deploy(&chain).await?;
    let product = Setup::new()?.with_config(token.config(&chain)).start()?;
    let from = product.new_vault("Token from", ETHER).await?;
    let to = product.new_vault("Token to", 0).await?;
    token.give(&chain, &from, 1_000).await?;
    token.is_seen(&product, &from, 1_000).await?;

    let body = token.transfer(&from, &address(&to)?, 400);
    let id = product.client.request_transfer(&body, "token-1").await?.body.id;
    let done = product.completed(&id.to_string()).await?;
    ensure!(done.amount.asset.as_str() == token.asset(), "{done:?}");
    ensure!(done.amount.minor.to_u128() == Some(400), "{done:?}");
    let fee = done
        .executions
        .first()
        .and_then(|e| e.fee.as_ref())
        .context("a fee")?;
    ensure!(
        fee.asset.as_str() == crate::product::ETH,
        "the fee is ether: {fee:?}"
    );
    let fee = fee.minor.to_u128().context("a fee")?;
    token.is_seen(&product, &from, 600).await?;
    token.is_seen(&product, &to, 400).await?;
    product
        .balance_is(&account(&from)?, |wei| wei == ETHER - fee)
        .await?;
    ensure!(chain.balance(&address(&to)?).await? == 0, "ether went along");

    let too_much = token.transfer(&from, &address(&to)?, 601);
    let refused = problem(product.client.request_transfer(&too_much, "token-2").await)?;
    ensure!(refused.code == ErrorCode::InsufficientFunds, "{refused:?}");

    // The receiver has tokens and no ether for a fee.
    let stuck = token.transfer(&to, &address(&from)?, 100);
    let id = product.client.request_transfer(&stuck, "token-3").await?.body.id;
    let over = product.over(&id.to_string()).await?;
    ensure!(over.status == TransferStatus::Failed, "{over:?}");
    let failure = over.failure.context("it says why")?;
    ensure!(failure.code == Some(ErrorCode::InsufficientFunds), "{failure:?}");
    ensure!(chain.sent(&address(&to)?).await? == 0, "nothing was sent");
    Ok(())
}
