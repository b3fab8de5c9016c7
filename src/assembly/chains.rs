//! The chains: their nodes, their faucets, and the sandboxes that live in this process.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use vaultstream_domain::ports::{ChainNode, Faucet};
use vaultstream_infra_chain_evm::{AnvilFaucet, SandboxFaucet};
use vaultstream_infra_telemetry::Metrics;
use vaultstream_sandbox_evm::{Options as SandboxOptions, Running, Sandbox};
use vaultstream_workflows::Chain;

use crate::config::{self, ChainConfig, Config, NodeConfig};
use crate::late_node::{LateNode, NodeFailures};

/// A chain with what surrounds it.
pub struct ChainParts {
    /// Its settings and its node.
    pub chain: Chain,
    /// Its faucet, on a sandbox.
    pub faucet: Option<Arc<dyn Faucet>>,
}

/// Connects every configured chain.
pub async fn connect_all(config: &Config, metrics: &Metrics) -> Result<(Vec<ChainParts>, Vec<Running>)> {
    let (mut chains, mut sandboxes) = (Vec::new(), Vec::new());
    for chain in &config.chains {
        let (parts, sandbox) = connect(chain, &config.data_dir, metrics)
            .await
            .with_context(|| format!("chain {} cannot be used", chain.slug))?;
        chains.push(parts);
        sandboxes.extend(sandbox);
    }
    Ok((chains, sandboxes))
}

async fn connect(
    chain: &ChainConfig,
    data_dir: &Path,
    metrics: &Metrics,
) -> Result<(ChainParts, Option<Running>)> {
    let options = |url: String| chain.node_options(url);
    let (url, faucet, sandbox): (String, Option<Arc<dyn Faucet>>, _) = match &chain.node {
        NodeConfig::Sandbox { block_time_ms } => {
            let mut sandbox = SandboxOptions::new(data_dir.join("sandbox").join(chain.slug.as_str()));
            sandbox.chain_id = chain
                .id
                .reference()
                .parse()
                .context("the chain's reference is no number")?;
            sandbox.block_time_ms = *block_time_ms;
            let opened = tokio::task::spawn_blocking(move || Sandbox::open(sandbox)).await?;
            let running = opened
                .context("the sandbox chain cannot be opened")?
                .start()
                .await?;
            let faucet = SandboxFaucet::try_new(&options(running.control_url.clone()))?;
            (running.rpc_url.clone(), Some(Arc::new(faucet)), Some(running))
        }
        NodeConfig::Evm { url, faucet, .. } => {
            let url = config::endpoint(url)?;
            let faucet: Option<Arc<dyn Faucet>> = match faucet.as_deref() {
                None => None,
                Some(_) if !chain.sandbox => anyhow::bail!("only a sandbox chain has a faucet"),
                Some("anvil") => Some(Arc::new(AnvilFaucet::try_new(&options(url.clone()))?)),
                Some(other) => {
                    let control = other
                        .strip_prefix("sandbox:")
                        .context("a faucet is `anvil` or `sandbox:URL`")?;
                    Some(Arc::new(SandboxFaucet::try_new(&options(control.to_owned()))?))
                }
            };
            (url, faucet, None)
        }
    };
    let node = LateNode::new(options(url), NodeFailures::new(metrics, &chain.slug));
    node.try_now().await?;
    let node: Arc<dyn ChainNode> = Arc::new(node);
    Ok((
        ChainParts {
            chain: Chain {
                settings: chain.settings(),
                node,
            },
            faucet,
        },
        sandbox,
    ))
}
