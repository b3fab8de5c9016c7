//! Two tenants with one of everything, an organization that nobody acts for, and every credential that can be presented.

use anyhow::{Context, Result, ensure};
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use vaultstream_client::http::{Client, With};
use vaultstream_client::{CreateVault, FaucetRequest, Vault};
use vaultstream_domain::organization::scope;
use vaultstream_event_schemas::{CommandId, StreamId, TransferStatus, id};

use super::who::{Credential, Who};
use crate::product::{ETH, ETHER, Product, Setup, until};

const CHAIN: &str = "eip155:31337";
/// Where the tenants pay to.
pub const SOMEWHERE: &str = "0x8617E340B3D01FA5F11F306F4090FD50E238070D";
/// Strangers pay for every try out of a quota of their address; this test has thousands of tries and one address.
const CONFIG: &str = "[gateway.quotas.per_address]\nper_second = 1000000\nburst = 10000000\n";

/// What rows put into paths, queries and bodies: the ids of one tenant's things.
#[derive(Debug, Clone)]
pub struct Ids {
    /// Who owns the others.
    pub organization: String,
    /// An organization that nobody acts for: it may be suspended.
    pub idle: String,
    /// A vault.
    pub vault: String,
    /// Its account, which holds money.
    pub account: String,
    /// A completed transfer with a memo.
    pub transfer: String,
    /// Its execution.
    pub execution: String,
    /// A key that nobody uses.
    pub key: String,
    /// A session that nobody uses.
    pub session: String,
    /// The command that made the transfer.
    pub command: String,
    /// A place near the beginning of the log.
    pub cursor: String,
    /// A consistency token of a moment when all of this was there.
    pub then: String,
}

impl Ids {
    /// Every id that is the tenant's own.
    pub fn all(&self) -> [&str; 8] {
        [
            &self.organization,
            &self.vault,
            &self.account,
            &self.transfer,
            &self.execution,
            &self.key,
            &self.session,
            &self.command,
        ]
    }

    /// A text with every id replaced by its place in [`Self::all`].
    pub fn hidden_in(&self, text: &str) -> String {
        let all = self.all().into_iter().chain([self.idle.as_str()]);
        all.enumerate().fold(text.to_owned(), |text, (n, id)| {
            text.replace(id, &format!("<{n}>"))
        })
    }

    /// Ids of the same kinds in the same shards that name nothing.
    pub fn that_never_were(&self) -> Result<Self> {
        let mut n = 0;
        let mut never = |text: &str| -> Result<String> {
            n += 1;
            let stream: StreamId = text.parse()?;
            let id = id::with_shard(id::random(1_700_000_000_000, n), stream.shard());
            Ok(StreamId { id, ..stream }.to_string())
        };
        let command: CommandId = self.command.parse()?;
        let shard = id::shard_of(command.uuid());
        Ok(Self {
            organization: never(&self.organization)?,
            idle: never(&self.idle)?,
            vault: never(&self.vault)?,
            account: never(&self.account)?,
            transfer: never(&self.transfer)?,
            execution: never(&self.execution)?,
            key: never(&self.key)?,
            session: never(&self.session)?,
            command: CommandId::from_uuid(id::with_shard(id::random(1, 1), shard)).to_string(),
            cursor: self.cursor.clone(),
            then: self.then.clone(),
        })
    }
}

/// The product with the tenants in it.
pub struct World {
    /// Keeps the data directory.
    _setup: Setup,
    /// The product, running.
    pub product: Product,
    /// A connection pool without a credential.
    pub http: reqwest::Client,
    /// The tenant who asks.
    pub ours: Ids,
    /// Another tenant.
    pub theirs: Ids,
    /// Nobody's.
    pub missing: Ids,
    platform: String,
}

/// A tenant as it is built.
struct Tenant {
    key: String,
    ids: Ids,
}

impl World {
    /// Starts the product and makes the tenants.
    pub async fn start() -> Result<(Self, Vec<Credential>)> {
        let setup = Setup::new()?.with_config(CONFIG);
        let product = setup.start()?;
        let platform = std::fs::read_to_string(setup.data_dir().join("platform.key"))?;
        let platform = platform.trim_end().to_owned();
        let client = setup.platform(&product)?;
        let (ours, theirs) = tokio::try_join!(
            tenant(&product, &client, "Ours"),
            tenant(&product, &client, "Theirs")
        )?;
        let world = Self {
            http: reqwest::Client::new(),
            missing: theirs.ids.that_never_were()?,
            ours: ours.ids,
            theirs: theirs.ids,
            _setup: setup,
            product,
            platform,
        };
        let credentials = world.credentials(&client, ours.key).await?;
        Ok((world, credentials))
    }

    /// A request without a credential.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.product.base))
    }

    /// Everything that can be presented, each as it is then.
    async fn credentials(&self, platform: &Client, full: String) -> Result<Vec<Credential>> {
        let all = scope::all();
        let own = &self.ours.organization;
        let home: Value = platform
            .get("/v1/organizations?limit=200", With::default())
            .await?
            .body;
        let home = named(&home, "Platform")?;
        let mut list = vec![
            Credential::key(Who::Full, &full),
            Credential::key(Who::WrongSecret, &spoilt(&full)),
            Credential::key(Who::Platform, &self.platform),
            Credential::none(),
        ];
        for (scope, _) in scope::ALL {
            let others: Vec<_> = all.iter().filter(|s| s != scope).cloned().collect();
            let alone = [(*scope).to_owned()];
            for (who, organization, scopes) in [
                (Who::Alone(scope), own, &alone[..]),
                (Who::AllBut(scope), own, &others[..]),
                (Who::PlatformAlone(scope), &home, &alone[..]),
                (Who::PlatformAllBut(scope), &home, &others[..]),
            ] {
                let (_, key) = issue(platform, organization, scopes, None).await?;
                list.push(Credential::key(who, &key));
            }
        }
        let (revoked, key) = issue(platform, own, &all, None).await?;
        let revoke = self.request(Method::DELETE, &format!("/v1/api-keys/{revoked}"));
        ensure!(
            revoke.bearer_auth(&full).send().await?.status() == 200,
            "not revoked"
        );
        list.push(self.refused(Credential::key(Who::Revoked, &key)).await?);
        let (_, key) = issue(platform, own, &all, Some(1)).await?;
        list.push(self.refused(Credential::key(Who::Expired, &key)).await?);
        list.push(Credential::page(
            Who::Page,
            &self.session(&full).await?.1,
            Some("1"),
            Some(&self.product.base),
        ));
        let cookie = self.session(&full).await?.1;
        list.push(Credential::page(Who::PageWithoutHeader, &cookie, None, None));
        list.push(Credential::page(
            Who::PageElsewhere,
            &cookie,
            Some("1"),
            Some("https://evil.example"),
        ));
        let (ended, cookie) = self.session(&full).await?;
        let end = self.request(Method::DELETE, &format!("/v1/sessions/{ended}"));
        ensure!(end.bearer_auth(&full).send().await?.status() == 204, "not ended");
        list.push(
            self.refused(Credential::page(Who::PageEnded, &cookie, Some("1"), None))
                .await?,
        );
        list.push(self.suspended(platform, &all).await?);
        Ok(list)
    }

    /// Waits until a credential that has ended is refused.
    async fn refused(&self, credential: Credential) -> Result<Credential> {
        until("what has ended is refused", || async {
            let ask = credential.present(self.request(Method::GET, "/v1/chains"));
            Ok((ask.send().await?.status() == StatusCode::UNAUTHORIZED).then_some(()))
        })
        .await?;
        Ok(credential)
    }

    async fn session(&self, key: &str) -> Result<(String, String)> {
        let open = self
            .request(Method::POST, "/v1/sessions")
            .json(&json!({ "key": key }));
        let opened = open.send().await?.error_for_status()?;
        let cookie = opened.headers().get("set-cookie").context("a cookie")?.to_str()?;
        let cookie = cookie.split(';').next().context("a value")?.to_owned();
        let body: Value = opened.json().await?;
        Ok((text(&body, "id")?, cookie))
    }

    async fn suspended(&self, platform: &Client, scopes: &[String]) -> Result<Credential> {
        let organization = register(platform, "Suspended").await?;
        let (_, key) = issue(platform, &organization, scopes, None).await?;
        let path = format!("/v1/organizations/{organization}/suspend");
        let _: Value = platform
            .post(&path, &json!({ "reason": "review" }), With::default())
            .await?
            .body;
        let credential = Credential::key(Who::Suspended, &key);
        until("the suspension is known at the door", || async {
            let ask = credential.present(self.request(Method::POST, "/v1/vaults"));
            let answer: Value = ask.send().await?.json().await?;
            Ok((answer["code"] == "organization-not-active").then_some(()))
        })
        .await?;
        Ok(credential)
    }
}

async fn tenant(product: &Product, platform: &Client, name: &str) -> Result<Tenant> {
    let organization = register(platform, name).await?;
    let idle = register(platform, &format!("{name}, idle")).await?;
    let (_, key) = issue(platform, &organization, &scope::all(), None).await?;
    let (unused, _) = issue(platform, &organization, &["vaults:read".to_owned()], None).await?;
    let client = Client::try_new(&product.base, Some(&key))?;
    let vault = funded(&client, name).await?;
    let account = vault.accounts.first().context("an account")?.id.to_string();
    let http = reqwest::Client::new();
    let body = json!({
        "vaultId": vault.id, "asset": ETH, "amount": "1000", "destination": SOMEWHERE, "memo": "for lunch",
    });
    let paid = http
        .post(format!("{}/v1/transfers", product.base))
        .bearer_auth(&key)
        .header("idempotency-key", "first")
        .json(&body)
        .send()
        .await?
        .error_for_status()?;
    let command = paid.headers().get("vaultstream-command").context("the command")?;
    let command = command.to_str()?.to_owned();
    let transfer = text(&paid.json().await?, "id")?;
    let done = until("the tenant's transfer completes", || async {
        let transfer = client.transfer(&transfer).await?.body;
        Ok((transfer.status == TransferStatus::Completed).then_some(transfer))
    })
    .await?;
    let session: Value = http
        .post(format!("{}/v1/sessions", product.base))
        .json(&json!({ "key": key }))
        .send()
        .await?
        .error_for_status()?
        .json()
        .await?;
    let events: Value = client.get("/v1/events?limit=1", With::default()).await?.body;
    let ids = Ids {
        organization,
        idle,
        vault: vault.id.to_string(),
        account,
        transfer,
        execution: done.executions.first().context("an execution")?.id.to_string(),
        key: unused,
        session: text(&session, "id")?,
        command,
        cursor: text(&events, "nextCursor")?,
        then: then(&client).await?,
    };
    Ok(Tenant { key, ids })
}

/// A token of the present: it names every shard, so that it is a moment as well.
async fn then(client: &Client) -> Result<String> {
    let body = json!({ "query": "{ freshness { token } }" });
    let answer: Value = client.post("/graphql", &body, With::default()).await?.body;
    text(&answer["data"]["freshness"], "token")
}

async fn funded(client: &Client, name: &str) -> Result<Vault> {
    let body = CreateVault {
        name: name.to_owned(),
        tier: None,
        chains: vec![CHAIN.to_owned()],
    };
    let with = With {
        wait: Some(20),
        ..With::default()
    };
    let vault = client.create_vault(&body, with).await?.body;
    let account = vault.accounts.first().context("an account")?;
    let address = account
        .address
        .clone()
        .context("`Prefer: wait` held until it was open")?;
    let body = FaucetRequest {
        address,
        amount: (3 * ETHER).to_string(),
    };
    client.faucet("eth_sandbox", &body).await?;
    until("the tenant's money arrives", || async {
        let account = client.account(&account.id.to_string()).await?.body;
        Ok((!account.balances.is_empty()).then_some(()))
    })
    .await?;
    Ok(vault)
}

async fn register(platform: &Client, name: &str) -> Result<String> {
    let contact = json!({ "email": "someone@example.org", "name": "Someone" });
    let body = json!({ "name": name, "contact": contact });
    let registered: Value = platform
        .post("/v1/organizations", &body, With::default())
        .await?
        .body;
    text(&registered, "id")
}

/// A new key's id and text.
async fn issue(
    platform: &Client,
    organization: &str,
    scopes: &[String],
    expires_in: Option<u64>,
) -> Result<(String, String)> {
    let mut body = json!({ "name": "ratchet", "scopes": scopes, "organizationId": organization });
    if let Some(seconds) = expires_in {
        body["expiresIn"] = json!(seconds);
    }
    let issued: Value = platform.post("/v1/api-keys", &body, With::default()).await?.body;
    Ok((text(&issued, "id")?, text(&issued, "key")?))
}

fn named(page: &Value, name: &str) -> Result<String> {
    let items = page["items"].as_array().context("items")?;
    let found = items.iter().find(|item| item["name"] == name);
    text(
        found.with_context(|| format!("no organization {name}: {page}"))?,
        "id",
    )
}

fn text(body: &Value, field: &str) -> Result<String> {
    let found = body[field].as_str().with_context(|| format!("{field}: {body}"))?;
    Ok(found.to_owned())
}

/// A key with the right id and another secret.
fn spoilt(key: &str) -> String {
    let middle = key.len() - 20;
    let other = if key.as_bytes()[middle] == b'A' { "B" } else { "A" };
    format!("{}{other}{}", &key[..middle], &key[middle + 1..])
}
