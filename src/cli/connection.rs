//! Which installation is asked, and as whom. A key comes from a file or by reference, never from the command line
//! itself, where every process of the machine could read it.

use std::future::Future;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::Args;
use vaultstream_client::Client;

use super::output::Format;
use super::{Done, Ended};
use crate::config;

/// Which installation, and as whom.
#[derive(Debug, Clone, Args)]
pub struct Connection {
    /// Where the installation answers.
    #[arg(
        long,
        global = true,
        value_name = "URL",
        default_value = "http://127.0.0.1:8080"
    )]
    url: String,
    /// A file that holds the API key, such as demo.key in the data directory of a demo.
    #[arg(long, global = true, value_name = "FILE", conflicts_with = "key")]
    key_file: Option<PathBuf>,
    /// A reference to the API key: env:NAME or file:PATH.
    #[arg(long, global = true, value_name = "REFERENCE")]
    key: Option<String>,
    /// How answers are printed.
    #[arg(
        short,
        long,
        global = true,
        value_enum,
        default_value = "table",
        value_name = "FORMAT"
    )]
    pub output: Format,
}

/// A connected verb.
pub struct Ask {
    /// Speaks to the installation.
    pub client: Client,
    /// How answers are printed.
    pub output: Format,
}

impl Connection {
    /// Where the installation answers.
    pub fn url(&self) -> &str {
        self.url.trim_end_matches('/')
    }

    fn key(&self) -> Result<String> {
        let key = match (&self.key_file, &self.key) {
            (Some(file), _) => std::fs::read_to_string(file)
                .with_context(|| format!("key file {} cannot be read", file.display()))?,
            (None, Some(reference)) => config::secret(reference).context("--key cannot be used")?,
            (None, None) => bail!(
                "no API key is given; name a file with --key-file, or a reference with --key env:NAME or --key file:PATH"
            ),
        };
        let key = key.trim();
        if key.is_empty() {
            bail!("the API key that is referred to is empty");
        }
        Ok(key.to_owned())
    }

    fn ask(&self) -> Result<Ask> {
        if !self.url.starts_with("http://") {
            bail!(
                "--url {} cannot be used: give http://HOST:PORT; where the installation is reached over TLS, run this on \
                 its machine or through a tunnel",
                self.url
            );
        }
        let client = Client::try_new(&self.url, Some(&self.key()?))?;
        Ok(Ask {
            client,
            output: self.output,
        })
    }

    /// Connects and carries a verb out.
    pub fn block_on<F: Future<Output = Done>>(&self, verb: impl FnOnce(Ask) -> F) -> Done {
        let ask = self.ask()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|e| Ended::Unsent(e.into()))?;
        runtime.block_on(verb(ask))
    }
}
