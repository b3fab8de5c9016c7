//! Starting, stopping, starting again; what is refused at start.

use anyhow::{Context, Result, ensure};

use crate::product::{Setup, program, until};

#[tokio::test(flavor = "multi_thread")]
async fn second_process_on_one_data_directory_should_be_refused() -> Result<()> {
    let setup = Setup::new()?;
    let product = setup.start()?;
    let output = std::process::Command::new(program("VAULTSTREAM_BIN")?)
        .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
        .arg(setup.data_dir())
        .output()?;
    ensure!(!output.status.success(), "two processes write one log");
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(
        said.contains("another process") || said.contains("in use") || said.contains("locked"),
        "{said}"
    );
    drop(product);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn product_should_stop_on_sigterm_and_come_back_with_its_data() -> Result<()> {
    let setup = Setup::new()?;
    let mut product = setup.start()?;
    let before = product.vault("Operations").await?;
    let status = product.process.terminate().await?;
    ensure!(status.success(), "SIGTERM ended it with {status}");
    let product = setup.start()?;
    let after = product.vault("Operations").await?;
    ensure!(
        before.id == after.id && before.accounts == after.accounts,
        "the vault changed: {before:?} {after:?}"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn health_and_metrics_should_answer_and_secrets_should_be_private() -> Result<()> {
    let setup = Setup::new()?;
    let product = setup.start()?;
    product.vault("Operations").await?;
    let http = reqwest::Client::new();
    for path in ["/health/live", "/health/ready", "/metrics", "/openapi.json"] {
        let response = http.get(format!("{}{path}", product.base)).send().await?;
        ensure!(response.status() == 200, "{path}: {}", response.status());
    }
    let metrics = async || -> Result<String> {
        let answer = http.get(format!("{}/metrics", product.base)).send().await?;
        Ok(answer.text().await?)
    };
    let first = metrics().await?;
    ensure!(first.contains("vaultstream_commands_total"), "{first}");
    // The same list again is answered from what was kept, unless something moved in between.
    until("a kept answer", || async {
        product.vault("Operations").await?;
        let hit = "vaultstream_cache_requests_total{cache=\"responses\",outcome=\"hit\"}";
        Ok(metrics().await?.contains(hit).then_some(()))
    })
    .await?;
    for name in ["demo.key", "platform.key"] {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(setup.data_dir().join(name))?
            .permissions()
            .mode()
            & 0o777;
        ensure!(mode == 0o600, "{name} has mode {mode:o}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn changed_shard_count_should_be_refused_with_the_remedy() -> Result<()> {
    let setup = Setup::new()?;
    drop(setup.start()?);
    let output = std::process::Command::new(program("VAULTSTREAM_BIN")?)
        .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
        .arg(setup.data_dir())
        .env("VAULTSTREAM_SHARDS__CORE", "3")
        .output()?;
    ensure!(
        !output.status.success(),
        "the count of shards changed under a log"
    );
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(said.contains("configure 2"), "{said}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn one_time_link_should_open_one_session_once() -> Result<()> {
    let product = Setup::new()?.start()?;
    let browser = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .build()?;
    let first = browser.get(&product.link).send().await?;
    ensure!(first.status().is_redirection(), "{}", first.status());
    let cookie = first
        .headers()
        .get("set-cookie")
        .and_then(|v| v.to_str().ok())
        .context("a cookie")?
        .to_owned();
    for part in ["HttpOnly", "SameSite=Strict"] {
        ensure!(cookie.contains(part), "{cookie}");
    }
    let pair = cookie.split(';').next().context("a pair")?.to_owned();
    let with_cookie = browser
        .get(format!("{}/v1/vaults", product.base))
        .header("cookie", &pair)
        .send()
        .await?;
    ensure!(with_cookie.status() == 200, "{}", with_cookie.status());
    let without_header = browser
        .post(format!("{}/v1/vaults", product.base))
        .header("cookie", &pair)
        .json(&serde_json::json!({ "name": "x", "chains": [] }))
        .send()
        .await?;
    ensure!(
        without_header.status() == 403,
        "a cookie alone commands: {}",
        without_header.status()
    );
    let second = browser.get(&product.link).send().await?;
    ensure!(
        second.headers().get("set-cookie").is_none(),
        "the link opened a second session"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn door_should_stand_as_it_is_configured() -> Result<()> {
    let gateway = "[gateway]\nsecure_cookies = true\nhttps_only = true\norigins = [\"https://desk.example\"]\n\
        hosts = [\"127.0.0.1\", \"vault.example\"]\n\
        [gateway.quotas]\nper_address = { per_second = 1, burst = 3 }\n";
    let product = Setup::new()?.with_config(gateway).start()?;
    let http = reqwest::Client::new();
    let vaults = |host: &str, origin: &str| {
        http.get(format!("{}/v1/vaults", product.base))
            .bearer_auth(&product.key)
            .header("host", host)
            .header("origin", origin)
            .send()
    };
    let listed = vaults("vault.example", "https://desk.example").await?;
    ensure!(listed.status() == 200, "{listed:?}");
    let remembered = listed.headers().get("strict-transport-security");
    ensure!(remembered.is_some(), "{listed:?}");
    for (host, origin, status) in [
        ("localhost", "https://desk.example", 421),
        ("vault.example", "https://other.example", 403),
    ] {
        let refused = vaults(host, origin).await?;
        ensure!(refused.status() == status, "{host}, {origin}: {refused:?}");
    }
    let open = || {
        http.post(format!("{}/v1/sessions", product.base))
            .json(&serde_json::json!({ "key": product.key }))
            .send()
    };
    let opened = open().await?;
    let cookie = opened.headers().get("set-cookie").context("a cookie")?.to_str()?;
    ensure!(cookie.contains("; Secure"), "{cookie}");
    let policy = opened.headers().get("ratelimit-policy").context("a policy")?;
    ensure!(policy.to_str()?.contains("q=1;"), "{policy:?}");
    let mut last = opened;
    for _ in 0..10 {
        last = open().await?;
    }
    ensure!(
        last.status() == 429,
        "eleven sign-ins at once, where four are allowed: {last:?}"
    );
    Ok(())
}

#[test]
fn nonsense_about_the_door_should_be_refused_with_its_key() -> Result<()> {
    for (name, value, said) in [
        ("GATEWAY__HTTPS_ONLY", "true", "gateway.secure_cookies"),
        ("GATEWAY__HOSTS", "[\"https://vault.example\"]", "gateway.hosts"),
        (
            "GATEWAY__QUOTAS__PER_ADDRESS__BURST",
            "0",
            "gateway.quotas.per_address.burst",
        ),
    ] {
        let data = tempfile::tempdir()?;
        let output = std::process::Command::new(program("VAULTSTREAM_BIN")?)
            .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
            .arg(data.path())
            .env(format!("VAULTSTREAM_{name}"), value)
            .output()?;
        let error = String::from_utf8_lossy(&output.stderr);
        ensure!(
            !output.status.success() && error.contains(said),
            "{name}={value}: {error}"
        );
    }
    Ok(())
}
