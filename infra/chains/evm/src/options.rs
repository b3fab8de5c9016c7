//! How a node is reached and how much may be paid there. Refuses values that could not work, naming the option.

use std::fmt;
use std::path::PathBuf;

use vaultstream_event_schemas::ChainId;

/// How a node is reached and how much may be paid there.
#[derive(Clone)]
pub struct Options {
    /// The endpoint, `http://…` or `https://…`; it may hold a credential and is never shown.
    pub url: String,
    /// A PEM file of the authorities that may sign the node's certificate; they replace this machine's own.
    pub ca_file: Option<PathBuf>,
    /// The chain the endpoint must serve.
    pub chain: ChainId,
    /// A name for events, logs and metrics; without one the endpoint's host and port.
    pub node: Option<String>,
    /// How long a connection may take, in milliseconds.
    pub connect_timeout_ms: u64,
    /// How long one question may take as a whole, in milliseconds.
    pub request_timeout_ms: u64,
    /// The least to bid, in wei per gas, even when the next block takes less.
    pub fee_floor_wei: u128,
    /// The most to bid, in wei per gas.
    pub fee_ceiling_wei: u128,
    /// What is added to an estimate of gas, in per cent.
    pub gas_margin_percent: u64,
}

impl Options {
    /// 2 s to connect, 10 s to answer, bids of at most 500 gwei, a margin of 20 %.
    pub fn new(url: impl Into<String>, chain: ChainId) -> Self {
        Self {
            url: url.into(),
            ca_file: None,
            chain,
            node: None,
            connect_timeout_ms: 2_000,
            request_timeout_ms: 10_000,
            fee_floor_wei: 0,
            fee_ceiling_wei: 500_000_000_000,
            gas_margin_percent: 20,
        }
    }

    /// Which option cannot work, and why.
    pub fn problem(&self) -> Option<(&'static str, String)> {
        let within = |value: u64| (1..=120_000).contains(&value);
        let times = [
            ("connect_timeout_ms", self.connect_timeout_ms),
            ("request_timeout_ms", self.request_timeout_ms),
        ];
        if let Some((name, value)) = times.into_iter().find(|(_, value)| !within(*value)) {
            return Some((name, format!("{value} is not between 1 and 120000")));
        }
        if self.fee_floor_wei > self.fee_ceiling_wei || self.fee_ceiling_wei == 0 {
            let (floor, ceiling) = (self.fee_floor_wei, self.fee_ceiling_wei);
            return Some((
                "fee_ceiling_wei",
                format!("{ceiling} must be above 0 and not below the floor {floor}"),
            ));
        }
        if self.gas_margin_percent > 400 {
            return Some((
                "gas_margin_percent",
                format!("{} is more than 400", self.gas_margin_percent),
            ));
        }
        let label = self.node.as_ref()?;
        let plain = |c: char| c.is_ascii_graphic();
        let wrong = label.is_empty() || label.len() > 64 || !label.chars().all(plain);
        wrong.then(|| {
            (
                "node",
                "use 1 to 64 visible ASCII characters without spaces".to_owned(),
            )
        })
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("url", &"…")
            .field("ca_file", &self.ca_file)
            .field("chain", &self.chain)
            .field("node", &self.node)
            .field("connect_timeout_ms", &self.connect_timeout_ms)
            .field("request_timeout_ms", &self.request_timeout_ms)
            .field("fee_floor_wei", &self.fee_floor_wei)
            .field("fee_ceiling_wei", &self.fee_ceiling_wei)
            .field("gas_margin_percent", &self.gas_margin_percent)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(change: fn(&mut Options)) -> Option<&'static str> {
        let chain = ChainId::try_new("eip155:1").expect("a chain");
        let mut options = Options::new("http://user:hunter2@localhost/key", chain);
        change(&mut options);
        assert!(!format!("{options:?}").contains("hunter2"));
        options.problem().map(|(name, _)| name)
    }

    #[test]
    fn options_should_name_what_cannot_work() {
        assert_eq!(problem(|_| ()), None);
        assert_eq!(problem(|o| o.connect_timeout_ms = 0), Some("connect_timeout_ms"));
        assert_eq!(
            problem(|o| o.request_timeout_ms = 120_001),
            Some("request_timeout_ms")
        );
        assert_eq!(
            problem(|o| o.fee_floor_wei = o.fee_ceiling_wei + 1),
            Some("fee_ceiling_wei")
        );
        assert_eq!(problem(|o| o.fee_ceiling_wei = 0), Some("fee_ceiling_wei"));
        assert_eq!(
            problem(|o| o.gas_margin_percent = 401),
            Some("gas_margin_percent")
        );
        assert_eq!(problem(|o| o.node = Some("a b".to_owned())), Some("node"));
        assert_eq!(problem(|o| o.node = Some(String::new())), Some("node"));
    }
}
