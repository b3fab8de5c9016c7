//! What survives: a kill of the process, a restart, and what is refused afterwards.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tempfile::TempDir;
use vaultstream_sandbox_evm::{Options, Sandbox};

use crate::{
    rig::{NEVER_MS, Rig, ask, client, hex0x, key, number, options, rig_with},
    signer::{ETHER, Plan},
};

struct Process {
    child: Child,
    rpc: String,
    control: String,
}

fn command(dir: &Path, block_time_ms: u64) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vaultstream-sandbox-evm"));
    command
        .arg("--data-dir")
        .arg(dir)
        .args(["--block-time-ms", &block_time_ms.to_string()]);
    command.args([
        "--prefund",
        &format!("{}={}", hex0x(key(1).address()), 100 * ETHER),
    ]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn start(dir: &Path, block_time_ms: u64) -> Process {
    let mut child = command(dir, block_time_ms).spawn().expect("the binary starts");
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("piped"))
        .read_line(&mut line)
        .expect("one line when ready");
    let ready: Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("not ready: {line:?}"));
    let url = |name: &str| ready[name].as_str().expect("a URL").to_owned();
    Process {
        child,
        rpc: url("rpcUrl"),
        control: url("controlUrl"),
    }
}

/// Starts where a refusal is expected and returns what was said.
fn refused(mut command: Command) -> String {
    let output = command.output().expect("the binary runs");
    assert!(!output.status.success(), "must refuse to start");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

impl Process {
    async fn rpc(&self, method: &str, params: Value) -> Value {
        ask(&client(), &self.rpc, method, params)
            .await
            .unwrap_or_else(|refusal| panic!("{method}: {refusal:?}"))
    }

    /// SIGKILL: nothing can be tidied up.
    fn kill(mut self) {
        self.child.kill().expect("still running");
        self.child.wait().expect("gone");
    }
}

#[tokio::test]
async fn killed_process_should_come_back_with_every_block() {
    let dir = TempDir::new().expect("a temporary directory");
    let path = dir.path().join("chain");
    let mut known: Vec<(String, Value)> = Vec::new();
    for round in 0..3u64 {
        let process = start(&path, 10);
        for (height, hash) in &known {
            let block = process.rpc("eth_getBlockByNumber", json!([height, false])).await;
            assert_eq!(&block["hash"], hash, "block {height} survived round {round}");
        }
        let raw = key(1).sign(&Plan::pay(round, [0x33; 20], 11));
        let hash = process.rpc("eth_sendRawTransaction", json!([hex0x(raw)])).await;
        let deadline = Instant::now() + Duration::from_secs(30);
        while process
            .rpc("eth_getTransactionReceipt", json!([hash]))
            .await
            .is_null()
        {
            assert!(Instant::now() < deadline, "no block took it");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        // in the middle of things: blocks come every 10 ms
        let block = process
            .rpc("eth_getBlockByNumber", json!(["latest", false]))
            .await;
        known.push((
            block["number"].as_str().expect("a number").to_owned(),
            block["hash"].clone(),
        ));
        process.kill();
    }
    let process = start(&path, 10);
    let balance = process
        .rpc("eth_getBalance", json!([hex0x([0x33; 20]), "latest"]))
        .await;
    assert_eq!(number(&balance), 33);
    let head = number(&process.rpc("eth_blockNumber", json!([])).await);
    assert!(head >= number(&json!(known[2].0)));
    process.kill();
}

#[tokio::test]
async fn pool_should_be_empty_after_a_restart_and_credits_should_not() {
    let dir = TempDir::new().expect("a temporary directory");
    let path = dir.path().join("chain");
    let process = start(&path, NEVER_MS);
    let raw = key(1).sign(&Plan::pay(0, [1; 20], 1));
    let hash = process.rpc("eth_sendRawTransaction", json!([hex0x(raw)])).await;
    let credit = json!({"address": hex0x([2; 20]), "amountWei": "12345"});
    ask(&client(), &process.control, "sandbox_faucet", credit)
        .await
        .expect("credited");
    ask(&client(), &process.control, "sandbox_setAutomine", json!([false]))
        .await
        .expect("set");
    ask(&client(), &process.control, "sandbox_setLatency", json!([1]))
        .await
        .expect("set");
    process.kill();
    let process = start(&path, NEVER_MS);
    assert!(
        process
            .rpc("eth_getTransactionByHash", json!([hash]))
            .await
            .is_null(),
        "the mempool is volatile"
    );
    let status = ask(&client(), &process.control, "sandbox_status", json!([]))
        .await
        .expect("status");
    assert_eq!(
        (&status["automine"], &status["waitingCredits"]),
        (&json!(false), &json!(1)),
        "control state is durable"
    );
    assert_eq!(status["latencyMs"], 0, "faults are not");
    ask(&client(), &process.control, "sandbox_mine", json!([1]))
        .await
        .expect("mined");
    let balance = process
        .rpc("eth_getBalance", json!([hex0x([2; 20]), "latest"]))
        .await;
    assert_eq!(number(&balance), 12_345);
    process.kill();
}

#[tokio::test]
async fn start_should_refuse_another_genesis_a_used_directory_and_a_public_address() {
    let dir = TempDir::new().expect("a temporary directory");
    let path = dir.path().join("chain");
    let process = start(&path, NEVER_MS);
    let said = refused(command(&path, NEVER_MS));
    assert!(said.contains("in use by another sandbox"), "{said}");
    process.kill();
    let mut other = command(&path, 500);
    other.args(["--chain-id", "5", "--prefund", &format!("{}=7", hex0x([9; 20]))]);
    let said = refused(other);
    for part in [
        "chain id was 31337 and is now 5",
        "block time in ms was 3600000 and is now 500",
        "was absent and is now 7 wei",
        "give another data directory",
    ] {
        assert!(said.contains(part), "{part:?} is missing in {said}");
    }
    for flag in ["--rpc", "--control"] {
        let mut public = command(&path, NEVER_MS);
        public.args([flag, "0.0.0.0:0"]);
        assert!(refused(public).contains("loopback only"));
    }
    let mut wrong = command(&path, NEVER_MS);
    wrong.args(["--prefund", "0x12=1"]);
    assert!(refused(wrong).contains("40 hex digits"));
    start(&path, NEVER_MS).kill();
}

#[tokio::test]
async fn reorganised_chain_should_be_the_same_after_a_restart() {
    let rig = rig_with(|_| {}).await;
    for nonce in 0..4 {
        rig.pay(1, Plan::pay(nonce, [0x44; 20], 3)).await;
        rig.mine(1).await;
    }
    let old = rig.block("latest").await["hash"].clone();
    rig.control("sandbox_reorg", json!({"depth": 2})).await;
    rig.mine(1).await;
    let Rig { running, client, dir } = rig;
    let shown = async |url: &str| {
        let mut answers = Vec::new();
        for height in 0..=6 {
            let tag = format!("{height:#x}");
            answers.push(ask(&client, url, "eth_getBlockByNumber", json!([tag, true])).await);
            answers.push(ask(&client, url, "eth_getBalance", json!([hex0x([0x44; 20]), tag])).await);
        }
        answers.push(ask(&client, url, "eth_getBlockByHash", json!([old, true])).await);
        answers
    };
    let before = shown(&running.rpc_url).await;
    running.shutdown().await;
    let running = Sandbox::open(options(&dir))
        .expect("opens again")
        .start()
        .await
        .expect("free ports");
    assert_eq!(shown(&running.rpc_url).await, before);
    running.shutdown().await;
}

#[tokio::test]
async fn damaged_state_should_be_refused_at_start() {
    let rig = rig_with(|_| {}).await;
    rig.mine(1).await;
    let Rig { running, dir, .. } = rig;
    running.shutdown().await;
    let options: Options = options(&dir);
    {
        let file = rusqlite::Connection::open(options.data_dir.join("chain.sqlite")).expect("a database");
        let changed = file
            .execute("UPDATE accounts SET nonce = x'0000000000000007'", [])
            .expect("changed");
        assert!(changed > 0);
    }
    let Err(error) = Sandbox::open(options) else {
        panic!("must be refused")
    };
    assert!(
        error
            .to_string()
            .contains("does not match the state root of block 1"),
        "{error}"
    );
}
