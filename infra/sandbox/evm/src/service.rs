//! The running sandbox: two ports and the producer of blocks, all bounded, all stopped together.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use serde_json::Value;
use tokio::{
    net::TcpListener,
    sync::watch,
    task::{JoinSet, spawn_blocking},
    time::Instant,
};

use crate::{
    chain::Chain,
    error::Error,
    faults::Faults,
    http::{self, PortListener},
    options::Options,
    rpc::{Control, Eth, Failure, Methods, Node, RpcError},
};

/// How long open requests get to finish when the sandbox stops.
const GRACE: Duration = Duration::from_secs(2);

/// A sandbox chain that is open but not yet reachable.
pub struct Sandbox {
    node: Arc<Node>,
    options: Options,
}

/// A sandbox chain that answers. Dropping it stops it without waiting; see [`Running::shutdown`].
pub struct Running {
    /// Public JSON-RPC, such as `http://127.0.0.1:8545`.
    pub rpc_url: String,
    /// The `sandbox_*` methods.
    pub control_url: String,
    node: Arc<Node>,
    stop: watch::Sender<bool>,
    tasks: JoinSet<()>,
}

impl Sandbox {
    /// Opens the chain in the data directory, or begins one there.
    ///
    /// # Errors
    /// Options that cannot work, a directory in use, a genesis that differs, a damaged chain.
    pub fn open(options: Options) -> Result<Self, Error> {
        options.check()?;
        let chain = Chain::open(&options, (options.clock)())?;
        Ok(Self {
            node: Arc::new(Node::new(chain, Arc::default(), options.clock)),
            options,
        })
    }

    /// Binds both ports and starts to produce blocks. Needs a tokio runtime with time and I/O.
    ///
    /// # Errors
    /// A port that cannot be bound.
    pub async fn start(self) -> Result<Running, Error> {
        let Self { node, options } = self;
        let (rpc, rpc_url) = bind(options.rpc_listen).await?;
        let (control, control_url) = bind(options.control_listen).await?;
        let (stop, stopped) = watch::channel(false);
        let faults: Arc<Faults> = node.faults.clone();
        let mut tasks = JoinSet::new();
        let public = PortListener::new(rpc, faults.clone(), true);
        tasks.spawn(http::serve(
            public,
            Arc::new(Eth(node.clone())),
            Some(faults.clone()),
            stopped.clone(),
        ));
        let private = PortListener::new(control, faults, false);
        tasks.spawn(http::serve(
            private,
            Arc::new(Control(node.clone())),
            None,
            stopped.clone(),
        ));
        tasks.spawn(produce(node.clone(), stopped));
        Ok(Running {
            rpc_url,
            control_url,
            node,
            stop,
            tasks,
        })
    }
}

impl Running {
    /// Calls a `sandbox_*` method without HTTP.
    ///
    /// # Errors
    /// What the control port would answer.
    pub async fn control(&self, method: &str, params: Value) -> Result<Value, RpcError> {
        let (control, method) = (Control(self.node.clone()), method.to_owned());
        let params = match params {
            Value::Null => Vec::new(),
            Value::Array(params) => params,
            single => vec![single],
        };
        let outcome = spawn_blocking(move || control.call(&method, &params)).await;
        match outcome {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(Failure::Error(error))) => Err(error),
            Ok(Err(Failure::Silence)) | Err(_) => Err(RpcError::internal("the method failed; see the log")),
        }
    }

    /// Stops all parts, lets open requests finish for a moment, and closes the chain.
    pub async fn shutdown(self) {
        let Self {
            node,
            stop,
            mut tasks,
            ..
        } = self;
        // the receivers may be gone already, which is what we want
        let _ = stop.send(true);
        let all = async { while tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(GRACE, all).await.is_err() {
            node.faults.cut_all();
            tasks.shutdown().await;
        }
    }
}

async fn bind(address: SocketAddr) -> Result<(TcpListener, String), Error> {
    let failed = |source| Error::Io {
        what: format!("cannot listen on {address}"),
        source,
    };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    Ok((listener, format!("http://{bound}")))
}

/// One block per block time while automine is on. A late block does not make the next one early.
async fn produce(node: Arc<Node>, mut stop: watch::Receiver<bool>) {
    let mut last = Instant::now();
    loop {
        let (automine, pace) = pace(&node).await;
        let due = last + pace;
        tokio::select! {
            _ = stop.changed() => return,
            () = node.pace.notified() => {}
            () = tokio::time::sleep_until(due), if automine => {
                last = due.max(Instant::now() - pace);
                mine(&node).await;
            }
        }
        if !automine {
            last = Instant::now();
        }
    }
}

async fn pace(node: &Arc<Node>) -> (bool, Duration) {
    let node = node.clone();
    let read = spawn_blocking(move || {
        let chain = node.chain()?;
        Ok::<_, RpcError>((
            chain.control.automine,
            Duration::from_millis(chain.control.block_time_ms),
        ))
    });
    match read.await {
        Ok(Ok(pace)) => pace,
        // the chain is in doubt: stop producing until a restart
        _ => (false, Duration::from_secs(1)),
    }
}

async fn mine(node: &Arc<Node>) {
    let node = node.clone();
    let mined = spawn_blocking(move || Ok::<_, RpcError>(node.chain()?.mine(node.now())?)).await;
    match mined {
        Ok(Ok(sealed)) => tracing::debug!(number = sealed.header.number, hash = %sealed.hash, "mined"),
        Ok(Err(error)) => tracing::error!(%error, "could not mine; trying again at the next tick"),
        Err(error) => tracing::error!(%error, "mining panicked"),
    }
}
