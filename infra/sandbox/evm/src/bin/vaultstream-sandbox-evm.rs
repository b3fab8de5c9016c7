//! The sandbox Ethereum chain as its own process. Prints one JSON line with both URLs when it is ready, and stops on
//! SIGTERM or SIGINT.

use std::{error::Error, io::Write as _, net::SocketAddr, path::PathBuf, process::ExitCode};

use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};
use vaultstream_sandbox_evm::{Durability, Options, Sandbox, parse_prefund};

/// A development Ethereum chain on loopback.
#[derive(Parser)]
#[command(version)]
struct Flags {
    /// Where the chain lives; created if absent.
    #[arg(long)]
    data_dir: PathBuf,
    /// EIP-155 chain id; part of the genesis.
    #[arg(long, default_value_t = 31_337)]
    chain_id: u64,
    /// Public JSON-RPC; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:0")]
    rpc: SocketAddr,
    /// The sandbox_* methods; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:0")]
    control: SocketAddr,
    /// Milliseconds between blocks; part of the genesis.
    #[arg(long, default_value_t = 1_000)]
    block_time_ms: u64,
    /// An account with a balance in block 0, as 0xADDRESS=WEI; repeatable; part of the genesis.
    #[arg(long, value_parser = parse_prefund)]
    prefund: Vec<([u8; 20], u128)>,
    /// How far below the head the block tagged `safe` is.
    #[arg(long, default_value_t = 2)]
    safe_depth: u64,
    /// How far below the head the block tagged `finalized` is.
    #[arg(long, default_value_t = 4)]
    finalized_depth: u64,
}

impl From<Flags> for Options {
    fn from(flags: Flags) -> Self {
        Self {
            data_dir: flags.data_dir,
            chain_id: flags.chain_id,
            block_time_ms: flags.block_time_ms,
            rpc_listen: flags.rpc,
            control_listen: flags.control,
            prefunded: flags.prefund,
            safe_depth: flags.safe_depth,
            finalized_depth: flags.finalized_depth,
            durability: Durability::PowerLoss,
            ..Self::new(PathBuf::new())
        }
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_max_level(tracing::Level::INFO)
        .init();
    match run(Flags::parse().into()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let mut text = error.to_string();
            let mut source = error.source();
            while let Some(cause) = source {
                text = format!("{text}: {cause}");
                source = cause.source();
            }
            eprintln!("error: {text}");
            ExitCode::FAILURE
        }
    }
}

async fn run(options: Options) -> Result<(), Box<dyn Error>> {
    let running = Sandbox::open(options)?.start().await?;
    let ready = serde_json::json!({"rpcUrl": running.rpc_url, "controlUrl": running.control_url});
    let mut out = std::io::stdout();
    writeln!(out, "{ready}")?;
    out.flush()?;
    let mut terminated = signal(SignalKind::terminate())?;
    tokio::select! {
        _ = terminated.recv() => {}
        outcome = tokio::signal::ctrl_c() => outcome?,
    }
    running.shutdown().await;
    Ok(())
}
