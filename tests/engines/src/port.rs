//! Ports that nobody listens on, kept from each other by their owners.
//!
//! An engine takes seconds until it listens; another one that chose the same port meanwhile would find the first one
//! answering there and take it for itself. So an owner holds the UDP port of the same number, which no engine uses,
//! for as long as its engine lives, and the operating system gives it back when the process ends.
//!
//! Below the range from which the kernel takes ports for outgoing connections: an engine that is restarted wants
//! its port back, and in that range a client of another test may have got it meanwhile.

use anyhow::{Context, Result};
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};

const FIRST: u16 = 12_000;
const COUNT: u16 = 18_000;
const TRIES: u64 = 200;

/// A port of ours; whoever else listens on it is none of this crate.
#[derive(Debug)]
pub(crate) struct Port {
    pub(crate) address: SocketAddr,
    _reservation: UdpSocket,
}

/// A loopback address that was free a moment ago; who finds it taken after all asks again.
pub(crate) fn free() -> Result<Port> {
    // Seeded by the operating system, so that two test processes look in different places.
    let random = RandomState::new();
    (0..TRIES)
        .find_map(|attempt| {
            let offset = random.hash_one(attempt) % u64::from(COUNT);
            let port = FIRST + u16::try_from(offset).ok()?;
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
            let reservation = UdpSocket::bind(address).ok()?;
            TcpListener::bind(address).ok()?;
            Some(Port {
                address,
                _reservation: reservation,
            })
        })
        .context("no free port on loopback between 12000 and 30000")
}

/// Starts again with other ports where the error says that one was taken in the meantime.
pub(crate) fn retrying<T>(mut start: impl FnMut() -> Result<T>) -> Result<T> {
    const AGAIN: usize = 2;
    for _ in 0..AGAIN {
        match start() {
            Err(error) if says_taken(&format!("{error:#}")) => {}
            outcome => return outcome,
        }
    }
    start()
}

fn says_taken(error: &str) -> bool {
    let error = error.to_lowercase();
    [
        "already in use",
        "is in use by another process",
        "failed to bind port",
    ]
    .iter()
    .any(|words| error.contains(words))
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::bail;

    #[test]
    fn free_port_should_be_bindable_by_its_engine() {
        let one = free().expect("a port");
        let held = TcpListener::bind(one.address).expect("an engine may listen on its own");
        let two = free().expect("another port");
        assert_ne!(one.address, two.address, "a port in use is not free");
        drop(held);
        assert!((FIRST..FIRST + COUNT).contains(&two.address.port()));
    }

    #[test]
    fn port_should_be_its_owners_until_dropped() {
        let one = free().expect("a port");
        let address = one.address;
        assert!(UdpSocket::bind(address).is_err(), "another owner looks elsewhere");
        drop(one);
        assert!(UdpSocket::bind(address).is_ok());
    }

    #[test]
    fn only_a_taken_port_should_be_tried_again() {
        let mut runs = 0;
        let outcome: Result<u8> = retrying(|| {
            runs += 1;
            if runs < 3 {
                bail!("bind: Address already in use")
            }
            Ok(7)
        });
        assert_eq!((outcome.expect("third time"), runs), (7, 3));

        let mut runs = 0;
        let outcome: Result<()> = retrying(|| {
            runs += 1;
            bail!("out of memory")
        });
        assert!(outcome.is_err());
        assert_eq!(runs, 1);
    }
}
