//! Opening a node: its address is read, its chain is asked for and must be the right one.

use alloy_primitives::U64;
use alloy_rpc_client::RpcClient;
use url::Url;
use vaultstream_chain_evm::asset::chain_number;
use vaultstream_domain::ports::chain_node::NodeError;
use vaultstream_event_schemas::ChainId;

use crate::node::EvmNode;
use crate::options::Options;
use crate::redact::Redactor;
use crate::rpc::{Failure, Rpc};
use crate::transport::BoundedHttp;

/// Why a node cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The address is none, or of a kind this client does not speak.
    #[error("the node's url cannot be used: {0}; give http://host:port or https://host")]
    Url(&'static str),
    /// An option that cannot work.
    #[error("the node's {name} cannot be used: {problem}")]
    Option {
        /// Which one.
        name: &'static str,
        /// What is wrong.
        problem: String,
    },
    /// A chain of another family.
    #[error("{0} is no Ethereum chain: give its CAIP-2 name, such as eip155:1")]
    Chain(ChainId),
    /// The endpoint serves another chain.
    #[error("node {node} serves eip155:{found}, not {wanted}: give the address of a node of {wanted}")]
    WrongChain {
        /// Which node.
        node: String,
        /// What it serves.
        found: u64,
        /// What it should serve.
        wanted: ChainId,
    },
    /// Over TLS it shows a certificate that nobody trusted here has signed for it.
    #[error("node {node} is not who it should be: {problem}")]
    Certificate {
        /// Which node.
        node: String,
        /// What is wrong, with the remedy.
        problem: String,
    },
    /// It did not answer; try again.
    #[error("node {node} cannot be asked which chain it serves")]
    Unavailable {
        /// Which node.
        node: String,
        /// Why.
        #[source]
        source: NodeError,
    },
}

impl ConnectError {
    /// Whether trying again later can help.
    pub const fn is_temporary(&self) -> bool {
        matches!(self, Self::Unavailable { .. })
    }
}

pub(crate) fn read_url(text: &str) -> Result<Url, ConnectError> {
    let url = Url::parse(text).map_err(|_| ConnectError::Url("it is no URL"))?;
    if url.host_str().is_none_or(str::is_empty) {
        return Err(ConnectError::Url("it names no host"));
    }
    match url.scheme() {
        "http" | "https" => Ok(url),
        _ => Err(ConnectError::Url("only http and https are spoken")),
    }
}

fn label_of(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    let port = url.port_or_known_default().unwrap_or_default();
    format!("{host}:{port}").chars().take(64).collect()
}

impl EvmNode {
    /// Connects to a node and checks that it serves the chain.
    pub async fn connect(options: Options) -> Result<Self, ConnectError> {
        if let Some((name, problem)) = options.problem() {
            return Err(ConnectError::Option { name, problem });
        }
        let wanted =
            chain_number(&options.chain).ok_or_else(|| ConnectError::Chain(options.chain.clone()))?;
        let url = read_url(&options.url)?;
        let node = options.node.clone().unwrap_or_else(|| label_of(&url));
        let redactor = Redactor::new(&url);
        let rpc = Rpc {
            client: RpcClient::new(BoundedHttp::try_new(&options, &url)?, true),
            redactor,
        };
        let found: Result<U64, _> = rpc.call("eth_chainId", ()).await;
        let found = found.map_err(|failure| match failure {
            Failure::Untrusted(problem) => ConnectError::Certificate {
                node: node.clone(),
                problem,
            },
            other => ConnectError::Unavailable {
                node: node.clone(),
                source: other.reading(),
            },
        })?;
        if found.to::<u64>() != wanted {
            return Err(ConnectError::WrongChain {
                node,
                found: found.to(),
                wanted: options.chain,
            });
        }
        tracing::info!(node, chain = %options.chain, "node connected");
        Ok(Self {
            rpc,
            chain_id: wanted,
            name: node,
            options,
        })
    }
}
