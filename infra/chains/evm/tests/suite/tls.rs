//! A node behind TLS, with an authority nobody else knows: believed when it is named, refused in words when it is not.

use std::io::Write;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use vaultstream_domain::ports::ChainNode;
use vaultstream_domain::ports::chain_node::NodeError;
use vaultstream_event_schemas::chain::RawTransaction;
use vaultstream_event_schemas::execution::v1::BroadcastOutcome;
use vaultstream_infra_chain_evm::{ConnectError, EvmNode, Options};

use crate::bench::chain;
use crate::engine::Engine;
use crate::sandbox::SandboxEngine;

/// An authority of these tests.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    fn new() -> Self {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(Vec::<String>::new()).expect("parameters");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).expect("a certificate").pem();
        Self {
            issuer: Issuer::new(params, key),
            pem,
        }
    }

    /// How a server for this name speaks TLS.
    fn server(&self, name: &str) -> TlsAcceptor {
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new(vec![name.to_owned()]).expect("parameters");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        let chain = vec![CertificateDer::from(certificate)];
        let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
        let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .expect("TLS 1.2 and 1.3")
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .expect("the key of the certificate");
        TlsAcceptor::from(Arc::new(config))
    }
}

/// TLS in front of a port, as a provider's front end has it. Its certificate can be exchanged.
struct Front {
    port: u16,
    acceptor: Arc<Mutex<TlsAcceptor>>,
    lines: Arc<Mutex<JoinSet<()>>>,
}

impl Front {
    async fn start(behind: &str, acceptor: TlsAcceptor) -> Self {
        let behind = behind.trim_start_matches("http://").to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let front = Self {
            port: listener.local_addr().expect("bound").port(),
            acceptor: Arc::new(Mutex::new(acceptor)),
            lines: Arc::default(),
        };
        let (acceptor, lines) = (front.acceptor.clone(), front.lines.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let acceptor = acceptor.lock().unwrap_or_else(PoisonError::into_inner).clone();
                let behind = behind.clone();
                lines
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .spawn(async move {
                        // A client that trusts nobody here hangs up, which is what some of the cases want.
                        if let Ok(mut inside) = acceptor.accept(stream).await
                            && let Ok(mut node) = TcpStream::connect(behind).await
                        {
                            let _ = tokio::io::copy_bidirectional(&mut inside, &mut node).await;
                        }
                    });
            }
        });
        front
    }

    fn url(&self) -> String {
        format!("https://user:hunter2@localhost:{}/", self.port)
    }

    /// Shows another certificate from now on, to everybody.
    fn exchange(&self, acceptor: TlsAcceptor) {
        *self.acceptor.lock().unwrap_or_else(PoisonError::into_inner) = acceptor;
        self.lines
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .abort_all();
    }
}

/// PEM files of a test.
struct Files(TempDir);

impl Files {
    fn new() -> Self {
        Self(TempDir::new().expect("a directory"))
    }
    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.path().join(name);
        let mut file = std::fs::File::create(&path).expect("a file");
        file.write_all(text.as_bytes()).expect("written");
        path
    }
}

fn options(url: &str, ca_file: Option<PathBuf>) -> Options {
    let mut options = Options::new(url, chain());
    options.ca_file = ca_file;
    options
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn node_of_a_named_authority_should_be_asked_over_tls() {
    let (engine, authority, files) = (SandboxEngine::start().await, Authority::new(), Files::new());
    engine.mine(2).await;
    let front = Front::start(engine.rpc_url(), authority.server("localhost")).await;
    // A bundle may hold several; one of them suffices.
    let bundle = format!("{}\n{}", Authority::new().pem, authority.pem);
    let ca_file = files.write("bundle.pem", &bundle);
    let node = EvmNode::connect(options(&front.url(), Some(ca_file)))
        .await
        .expect("believed");
    assert!(node.head().await.expect("a head").tip.at.height >= 2);
    assert!(!format!("{node:?}").contains("hunter2"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unknown_authority_and_wrong_name_should_be_refused_with_the_remedy() {
    let (engine, authority, files) = (SandboxEngine::start().await, Authority::new(), Files::new());
    let front = Front::start(engine.rpc_url(), authority.server("localhost")).await;
    let elsewhere = Front::start(engine.rpc_url(), authority.server("other.example")).await;
    let right = files.write("right.pem", &authority.pem);
    let wrong = files.write("wrong.pem", &Authority::new().pem);
    for (why, front, ca_file) in [
        ("another authority", &front, Some(wrong)),
        ("the machine's authorities", &front, None),
        ("another name", &elsewhere, Some(right)),
    ] {
        let error = EvmNode::connect(options(&front.url(), ca_file))
            .await
            .expect_err(why);
        // A machine may trust nobody at all; then that is said, and the remedy is the same.
        let option =
            matches!(&error, ConnectError::Option { name: "ca_file", .. }) && why.starts_with("the machine");
        assert!(
            option || matches!(&error, ConnectError::Certificate { .. }),
            "{why}: {error:?}"
        );
        let text = error.to_string();
        assert!(text.contains("ca_file"), "{why}: {text}");
        assert!(!error.is_temporary(), "{why}: waiting does not help");
        assert!(!format!("{text} {error:?}").contains("hunter2"), "{why}");
    }
}

#[tokio::test]
async fn authorities_that_cannot_be_used_should_be_named() {
    let files = Files::new();
    let broken = "-----BEGIN CERTIFICATE-----\nbm90aGluZw==\n-----END CERTIFICATE-----\n";
    for (url, file, words) in [
        (
            "https://localhost:1/",
            PathBuf::from("/nowhere/ca.pem"),
            "/nowhere/ca.pem cannot be read",
        ),
        (
            "https://localhost:1/",
            files.write("empty.pem", ""),
            "holds no certificate",
        ),
        (
            "https://localhost:1/",
            files.write("broken.pem", broken),
            "cannot be read",
        ),
        (
            "http://localhost:1/",
            files.write("good.pem", &Authority::new().pem),
            "not https",
        ),
    ] {
        let error = EvmNode::connect(options(url, Some(file))).await.expect_err(words);
        assert!(
            matches!(error, ConnectError::Option { name: "ca_file", .. }),
            "{error:?}"
        );
        assert!(error.to_string().contains(words), "{error}");
        assert!(!error.is_temporary());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn certificate_that_goes_bad_should_delay_and_end_nothing() {
    let (engine, authority, files) = (SandboxEngine::start().await, Authority::new(), Files::new());
    let front = Front::start(engine.rpc_url(), authority.server("localhost")).await;
    let ca_file = files.write("ca.pem", &authority.pem);
    let node = EvmNode::connect(options(&front.url(), Some(ca_file)))
        .await
        .expect("believed");
    front.exchange(Authority::new().server("localhost"));
    let mut reading = node.head().await;
    for _ in 0..20 {
        // The connection that was open may be noticed as closed first.
        if matches!(&reading, Err(NodeError::Unavailable(why)) if why.contains("not trusted")) {
            break;
        }
        reading = node.head().await;
    }
    assert!(
        matches!(&reading, Err(NodeError::Unavailable(why)) if why.contains("not trusted")),
        "{reading:?}"
    );
    let transaction = RawTransaction {
        raw: "0x02".to_owned(),
        txid: format!("0x{:064x}", 9),
    };
    assert_eq!(
        node.broadcast(&transaction).await.outcome,
        BroadcastOutcome::Ambiguous
    );
    front.exchange(authority.server("localhost"));
    let mut healed = node.head().await;
    for _ in 0..20 {
        if healed.is_ok() {
            break;
        }
        healed = node.head().await;
    }
    healed.expect("it recovers by itself");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn port_that_speaks_no_tls_should_be_unavailable() {
    let (engine, files) = (SandboxEngine::start().await, Files::new());
    let ca_file = files.write("ca.pem", &Authority::new().pem);
    let url = engine.rpc_url().replace("http://", "https://");
    let error = EvmNode::connect(options(&url, Some(ca_file)))
        .await
        .expect_err("no TLS there");
    assert!(error.is_temporary(), "{error:?}");
}
