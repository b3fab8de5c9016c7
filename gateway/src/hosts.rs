//! Which names this installation answers to, and which pages may talk to it.
//!
//! A browser can be made to send requests here under a foreign name (DNS rebinding) or from a foreign page. Both say so:
//! the first in `Host`, the second in `Origin`. There is no CORS: other origins have no business here.

use std::collections::BTreeSet;

/// The allowed host names and additional origins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hosts {
    names: BTreeSet<String>,
    origins: BTreeSet<String>,
}

impl Default for Hosts {
    fn default() -> Self {
        Self::new(["localhost", "127.0.0.1", "[::1]"], [] as [&str; 0])
    }
}

impl Hosts {
    /// Host names without ports, and origins (`https://vault.example`) beside the installation's own.
    pub fn new<N: AsRef<str>, O: AsRef<str>>(
        names: impl IntoIterator<Item = N>,
        origins: impl IntoIterator<Item = O>,
    ) -> Self {
        Self {
            names: names
                .into_iter()
                .map(|n| n.as_ref().to_ascii_lowercase())
                .collect(),
            origins: origins
                .into_iter()
                .map(|o| o.as_ref().to_ascii_lowercase())
                .collect(),
        }
    }

    /// Whether a Host header (with or without a port) names this installation.
    pub fn allows(&self, host: &str) -> bool {
        let name = host_name(host).to_ascii_lowercase();
        self.names.contains(&name)
    }

    /// Whether a page of `origin` may send requests to `host`: its own pages, and listed ones.
    pub fn allows_origin(&self, origin: &str, host: &str) -> bool {
        let origin = origin.to_ascii_lowercase();
        let own = match origin.split_once("://") {
            Some(("http", authority)) => without_port(authority, "80") == without_port(host, "80"),
            Some(("https", authority)) => without_port(authority, "443") == without_port(host, "443"),
            _ => false,
        };
        own || self.origins.contains(&origin)
    }
}

fn host_name(host: &str) -> &str {
    match host.rfind(']') {
        Some(end) => &host[..=end],
        None => host.split(':').next().unwrap_or(host),
    }
}

fn without_port(authority: &str, default: &str) -> String {
    let authority = authority.to_ascii_lowercase();
    match authority.strip_suffix(default).and_then(|a| a.strip_suffix(':')) {
        Some(bare) => bare.to_owned(),
        None => authority,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_should_be_one_of_the_list_whatever_its_port() {
        let hosts = Hosts::default();
        for good in [
            "localhost",
            "LOCALHOST:8080",
            "127.0.0.1:1",
            "[::1]:8080",
            "[::1]",
        ] {
            assert!(hosts.allows(good), "{good}");
        }
        for bad in [
            "",
            "evil.example",
            "localhost.evil.example",
            "127.0.0.1.evil.example:8080",
            "[::2]:80",
            ":8080",
        ] {
            assert!(!hosts.allows(bad), "{bad}");
        }
    }

    #[test]
    fn origin_should_be_our_own_page_or_a_listed_one() {
        let hosts = Hosts::new(["vault.example"], ["https://desk.example"]);
        assert!(hosts.allows_origin("https://vault.example", "vault.example"));
        assert!(hosts.allows_origin("https://vault.example", "vault.example:443"));
        assert!(hosts.allows_origin("http://localhost:8080", "localhost:8080"));
        assert!(hosts.allows_origin("https://desk.example", "vault.example"));
        for bad in [
            "null",
            "https://evil.example",
            "http://localhost:8081",
            "https://vault.example.evil.example",
            "",
        ] {
            assert!(!hosts.allows_origin(bad, "localhost:8080"), "{bad}");
        }
    }
}
