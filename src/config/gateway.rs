//! The section `[gateway]`: which names and pages are ours, whether clients come by https, and how much each may do.
//!
//! Refuses: names with a scheme or a port, origins with a path, https without secure cookies, quotas that let nobody in or
//! that the buckets cannot count.

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use vaultstream_gateway::hosts::Hosts;
use vaultstream_gateway::limit::Quota;

/// The most of a quota: buckets count in microseconds.
const MAX_PER_SECOND: u32 = 1_000_000;
const MAX_BURST: u32 = 10_000_000;
/// The most names, and the most origins.
const MAX_NAMES: usize = 100;

/// The door.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gateway {
    /// Host names this installation answers to, besides its listen address.
    pub hosts: Vec<String>,
    /// Pages of other origins that may send requests here.
    pub origins: Vec<String>,
    /// Whether the session cookie travels over https only.
    pub secure_cookies: bool,
    /// Whether clients come by https only; then browsers are told to remember it.
    pub https_only: bool,
    /// How much callers may do.
    pub quotas: Quotas,
}

/// How much callers may do.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quotas {
    /// A key or a session.
    pub per_credential: QuotaConfig,
    /// An address without a valid credential.
    pub per_address: QuotaConfig,
}

/// One quota.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QuotaConfig {
    /// Requests a second, for ever.
    pub per_second: u32,
    /// Requests at once after a pause.
    pub burst: u32,
}

impl From<QuotaConfig> for Quota {
    fn from(quota: QuotaConfig) -> Self {
        Self {
            per_second: quota.per_second,
            burst: quota.burst,
        }
    }
}

impl Gateway {
    /// The names and origins, with the address that is listened on.
    pub fn hosts(&self, listen: String) -> Hosts {
        Hosts::new(self.hosts.iter().cloned().chain([listen]), &self.origins)
    }

    pub(super) fn check(&self) -> Result<()> {
        for (key, list) in [("hosts", &self.hosts), ("origins", &self.origins)] {
            ensure!(
                list.len() <= MAX_NAMES,
                "gateway.{key} has {} entries; at most {MAX_NAMES} are taken",
                list.len()
            );
        }
        for host in &self.hosts {
            ensure!(
                is_host(host),
                "gateway.hosts has `{host}`; give names as in a Host header without the port, such as \
                 \"vault.example\" or \"[::1]\""
            );
        }
        for origin in &self.origins {
            check_origin(origin).with_context(|| format!("gateway.origins has `{origin}`"))?;
        }
        ensure!(
            self.secure_cookies || !self.https_only,
            "gateway.https_only is set and gateway.secure_cookies is not; set both, or the session cookie would still \
             travel over http"
        );
        let Quotas {
            per_credential,
            per_address,
        } = self.quotas;
        for (key, quota) in [("per_credential", per_credential), ("per_address", per_address)] {
            for (field, value, most) in [
                ("per_second", quota.per_second, MAX_PER_SECOND),
                ("burst", quota.burst, MAX_BURST),
            ] {
                ensure!(
                    (1..=most).contains(&value),
                    "gateway.quotas.{key}.{field} is {value}; give 1 to {most}"
                );
            }
        }
        Ok(())
    }
}

/// A name, an IPv4 address, or an IPv6 address in brackets.
fn is_host(text: &str) -> bool {
    let bracketed = text.strip_prefix('[').and_then(|t| t.strip_suffix(']'));
    match bracketed {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => {
            (1..=253).contains(&text.len())
                && text
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_'))
        }
    }
}

fn check_origin(origin: &str) -> Result<()> {
    let authority = origin
        .strip_prefix("https://")
        .or_else(|| origin.strip_prefix("http://"))
        .context("an origin begins with https:// or http://")?;
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (authority, None),
    };
    ensure!(
        is_host(host) && port.is_none_or(|p| p.parse::<u16>().is_ok_and(|p| p > 0)),
        "an origin is a scheme, a name and perhaps a port, and has no path, such as \"https://desk.example\""
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Overrides};

    fn with(extra: &str) -> Result<Gateway> {
        let file = tempfile::NamedTempFile::new()?;
        std::fs::write(file.path(), extra)?;
        Ok(Config::load(Some(file.path()), &Overrides::default())?.gateway)
    }

    #[test]
    fn defaults_should_be_those_of_the_door() {
        let gateway = with("").expect("the committed defaults load");
        let quotas = (
            gateway.quotas.per_credential.into(),
            gateway.quotas.per_address.into(),
        );
        assert_eq!(quotas, vaultstream_gateway::DoorParts::DEFAULT_QUOTAS);
        assert!(!gateway.https_only && !gateway.secure_cookies && gateway.origins.is_empty());
    }

    #[test]
    fn one_number_of_a_quota_should_be_enough() {
        let gateway = with("[gateway.quotas.per_address]\nburst = 7").expect("loads");
        let Quota { per_second, burst } = gateway.quotas.per_address.into();
        assert_eq!((per_second, burst), (20, 7));
    }

    #[test]
    fn listed_page_should_be_let_in() {
        let gateway = with("[gateway]\norigins = [\"https://desk.example\"]").expect("loads");
        let hosts = gateway.hosts("10.0.0.1".into());
        assert!(hosts.allows("10.0.0.1:8080") && hosts.allows("localhost"));
        assert!(hosts.allows_origin("https://desk.example", "localhost"));
        assert!(!hosts.allows_origin("https://other.example", "localhost"));
    }

    #[test]
    fn nonsense_should_be_refused_with_its_key_and_a_remedy() {
        for (extra, words) in [
            (
                "hosts = [\"https://vault.example\"]",
                ["gateway.hosts", "without the port"],
            ),
            (
                "hosts = [\"vault.example:443\"]",
                ["gateway.hosts", "without the port"],
            ),
            ("hosts = [\"\"]", ["gateway.hosts", "without the port"]),
            ("origins = [\"desk.example\"]", ["gateway.origins", "https://"]),
            (
                "origins = [\"https://desk.example/app\"]",
                ["gateway.origins", "no path"],
            ),
            (
                "origins = [\"https://desk.example:0\"]",
                ["gateway.origins", "no path"],
            ),
            ("https_only = true", ["gateway.secure_cookies", "set both"]),
            (
                "quotas.per_address.burst = 0",
                ["gateway.quotas.per_address.burst", "1 to"],
            ),
            (
                "quotas.per_credential.per_second = 1000001",
                ["gateway.quotas.per_credential.per_second", "1 to 1000000"],
            ),
            ("quotas.per_key.burst = 1", ["per_key", "unknown field"]),
        ] {
            let error = with(&format!("[gateway]\n{extra}")).expect_err(extra);
            let error = format!("{error:#}");
            for word in words {
                assert!(error.contains(word), "{extra}: {error}");
            }
        }
    }
}
