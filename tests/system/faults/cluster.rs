//! The cluster on real engines, with a link in front of each of them: one start for every loss it can live through.
//!
//! Doors, which people see, have a fixed address, so that one that was killed comes back where it was.

use std::net::TcpListener;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use vaultstream_client::{ClientError, Vault};
use vaultstream_engines::{Cluster, Server};
use vaultstream_event_schemas::ErrorCode;
use vaultstream_rig::{CLOCK_FILE, Clocks, Link};

use super::{engines, links, roles};
use crate::cluster::{BEHIND, Build, DOORS, Roles};
use crate::product::{ETHER, Process, Product, address, problem, until};

/// What each line pays.
pub const WEI: u128 = ETHER / 1_000;

/// A link in front of every engine and of the chain's node.
pub struct Links {
    pub postgres: Link,
    pub checkpoints: Link,
    pub kafka: Link,
    pub cassandra: Link,
    pub redis: Link,
    pub node: Link,
}

impl Links {
    async fn new() -> Result<Self> {
        Ok(Self {
            postgres: Link::new().await?,
            checkpoints: Link::new().await?,
            kafka: Link::new().await?,
            cassandra: Link::new().await?,
            redis: Link::new().await?,
            node: Link::new().await?,
        })
    }

    /// Leads each link to its engine, and the configuration to the links. Kafka has to name its link itself.
    pub fn stand_between(&self, engines: &Cluster, node: &str, config: &Path) -> Result<()> {
        let dir = config.parent().context("the configuration lies in a directory")?;
        let postgres = engines.postgres.url();
        let secrets = [
            ("postgres.url", &self.postgres),
            ("checkpoints.url", &self.checkpoints),
        ];
        for (file, link) in secrets {
            put(link, host(&postgres), &dir.join(file))?;
        }
        put(&self.kafka, &engines.kafka.bootstrap(), config)?;
        put(&self.cassandra, &engines.cassandra.contact_point(), config)?;
        put(&self.redis, host(&engines.redis.url()), config)?;
        put(&self.node, host(node), config)
    }
}

/// `host:port` of a URL.
fn host(url: &str) -> &str {
    let (_, rest) = url.split_once("://").unwrap_or(("", url));
    let authority = rest.split('/').next().unwrap_or(rest);
    authority.rsplit('@').next().unwrap_or(authority)
}

fn put(link: &Link, target: &str, file: &Path) -> Result<()> {
    link.leads_to(target)?;
    let text = std::fs::read_to_string(file)?;
    ensure!(text.contains(target), "{} does not name {target}", file.display());
    Ok(std::fs::write(
        file,
        text.replace(target, &link.address().to_string()),
    )?)
}

/// A running cluster.
pub struct World {
    pub roles: Roles,
    pub links: Links,
    /// The doors.
    pub product: Product,
    /// The clock of the doors.
    pub clock: Clocks,
    behind: Vec<(&'static str, Process, String)>,
    port: u16,
    from: Vault,
    to: String,
}

#[tokio::test(flavor = "multi_thread")]
async fn cluster_losses() -> Result<()> {
    let mut world = World::start().await?;
    let mut failed = Vec::new();
    failed.extend(links::run(&mut world).await.err());
    failed.extend(engines::run(&mut world).await.err());
    failed.extend(roles::run(&mut world).await.err());
    ensure!(failed.is_empty(), "{failed:#?}");
    Ok(())
}

impl World {
    async fn start() -> Result<Self> {
        let links = Links::new().await?;
        let roles = Roles::behind(&links).await?;
        roles.migrate().await?;
        let clock = Clocks::new(roles.dir.path(), "doors")?;
        let behind = BEHIND.map(|role| {
            let (process, base) = roles.role(Build::This, role)?;
            anyhow::Ok((role, process, base))
        });
        let behind = behind.into_iter().collect::<Result<_>>()?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let (doors, base) = open_doors(&roles, port, &clock)?;
        let mut seeding = roles.seed()?;
        let link = seeding.line(|l| l.strip_prefix("One-time sign-in link: ").map(str::to_owned))?;
        ensure!(seeding.wait_for_end().await?.success(), "the demo was not seeded");
        let product = roles.product(doors, base, link)?;
        product.funded("Operations").await?;
        let (from, to) = (
            product.vault("Operations").await?,
            product.vault("Payouts").await?,
        );
        let to = address(&to)?;
        let world = Self {
            roles,
            links,
            product,
            clock,
            behind,
            port,
            from,
            to,
        };
        world.pays("first").await?;
        Ok(world)
    }

    /// After a line that failed: everything as it should be.
    pub fn mend(&mut self) -> Result<()> {
        let links = &self.links;
        let all = [
            &links.postgres,
            &links.checkpoints,
            &links.kafka,
            &links.cassandra,
            &links.redis,
            &links.node,
        ];
        all.into_iter().for_each(Link::heal);
        self.clock.wrong_by(0)?;
        let engines = &self.roles.engines;
        let servers: [&Server; 4] = [
            &engines.postgres,
            &engines.kafka,
            &engines.cassandra,
            &engines.redis,
        ];
        tokio::task::block_in_place(|| {
            // One that does not run cannot be resumed.
            servers
                .into_iter()
                .try_for_each(|server| server.resume().or_else(|_| server.restart()))
        })
    }

    /// Asks for a transfer.
    pub async fn asks(&self, key: &str) -> Result<String, ClientError> {
        self.product.transfer(&self.from, &self.to, WEI, key).await
    }

    /// Asks for a transfer under a key that was refused before, until it is taken.
    pub async fn asks_until_taken(&self, key: &str) -> Result<String> {
        until("the command is taken", || async { Ok(self.asks(key).await.ok()) }).await
    }

    /// Asks for a transfer that has to be refused; with which code.
    pub async fn is_refused(&self, key: &str) -> Result<ErrorCode> {
        let refused = problem(self.asks(key).await)?;
        ensure!(refused.status == 503, "{refused:?}");
        Ok(refused.code)
    }

    /// It completes with one execution.
    pub async fn completes(&self, id: &str) -> Result<()> {
        let done = until("the transfer ends", || async {
            // A door that is just away, or cannot say now, is asked again.
            let read = self.product.client.transfer(id).await;
            Ok(read.ok().map(|t| t.body).filter(|t| t.status.is_terminal()))
        });
        let done = done.await?;
        ensure!(
            done.status.as_str() == "completed" && done.executions.len() == 1,
            "{done:?}"
        );
        Ok(())
    }

    pub async fn pays(&self, key: &str) -> Result<()> {
        let id = self.asks(key).await?;
        self.completes(&id).await
    }

    /// Whether a transfer is in the list, which is read from a view; none while the list cannot be read.
    pub async fn is_listed(&self, id: &str) -> Option<bool> {
        let page = self.product.client.transfers(None).await.ok()?;
        Some(page.items.iter().any(|t| t.id.to_string() == id))
    }

    pub async fn becomes_listed(&self, id: &str) -> Result<()> {
        until("the view has it", || async {
            Ok((self.is_listed(id).await == Some(true)).then_some(()))
        })
        .await
    }

    /// What a process says at `/health/ready`.
    pub async fn ready(&self, role: &str) -> Result<(u16, Value)> {
        let behind = self.behind.iter().find(|(name, ..)| *name == role);
        let base = behind.map_or(&self.product.base, |(.., base)| base);
        let answer = reqwest::get(format!("{base}/health/ready")).await?;
        Ok((answer.status().as_u16(), answer.json().await?))
    }

    /// Waits until a process is not ready; what it says then.
    pub async fn becomes_unready(&self, role: &str, status: &str) -> Result<Value> {
        until("it is not ready", || async {
            let (code, body) = self.ready(role).await?;
            Ok((code == 503 && body["status"] == status).then_some(body))
        })
        .await
    }

    /// Waits until every process is ready.
    pub async fn recovers(&self) -> Result<()> {
        for role in BEHIND.into_iter().chain([DOORS]) {
            until(&format!("{role} is ready"), || async {
                let ready = self.ready(role).await;
                Ok(ready.is_ok_and(|(code, _)| code == 200).then_some(()))
            })
            .await?;
        }
        Ok(())
    }

    /// A role's process behind the doors.
    pub fn process(&mut self, role: &str) -> Result<&mut Process> {
        let found = self.behind.iter_mut().find(|(name, ..)| *name == role);
        Ok(&mut found.with_context(|| format!("{role} runs"))?.1)
    }

    /// Another process in the place of a role's that has ended.
    pub fn start_again(&mut self, role: &'static str) -> Result<()> {
        let (process, base) = self.roles.role(Build::This, role)?;
        let found = self.behind.iter_mut().find(|(name, ..)| *name == role);
        *found.with_context(|| format!("{role} ran"))? = (role, process, base);
        Ok(())
    }

    /// Another process in the place of the doors that have ended, at the same address.
    pub fn open_doors_again(&mut self) -> Result<()> {
        self.product.process = open_doors(&self.roles, self.port, &self.clock)?.0;
        Ok(())
    }
}

fn open_doors(roles: &Roles, port: u16, clock: &Clocks) -> Result<(Process, String)> {
    let mut command = roles.command("serve")?;
    command.args(["--role", DOORS, "--listen", &format!("127.0.0.1:{port}")]);
    command.env(CLOCK_FILE, clock.file());
    let process = Process::start(&mut command)?;
    let base = process.line(|l| l.strip_prefix("Vaultstream is ready at ").map(str::to_owned))?;
    Ok((process, base))
}
