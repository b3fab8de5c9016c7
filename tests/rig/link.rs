//! A wire between two processes: a TCP proxy on loopback whose weather can be changed while connections are open.
//!
//! It carries bytes, so it knows nothing of what is said, and encrypted links work as well as plain ones. What is read is
//! at most [`CHUNK`] bytes ahead of what was written: a wire that does not carry makes its sender wait, as a real one
//! does once its buffers are full.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Bytes that are carried at once.
const CHUNK: usize = 16 * 1024;

/// How a wire carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weather {
    /// At once.
    Fair,
    /// Each chunk so much later, in each direction.
    Slow(Duration),
    /// At most so many bytes a second, in each direction.
    Narrow(u32),
    /// Not at all, and nobody is told: connections stay open, and what is sent waits. It is delivered in better weather.
    Silent,
    /// One way only: what is asked gets there, answers wait for better weather.
    Mute,
    /// Not at all, and everybody is told: connections are reset, new ones, too.
    Cut,
}

/// A direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// From who connected.
    There,
    /// To who connected.
    Back,
}

/// What the carriers are told.
#[derive(Debug, Clone, Copy)]
struct Told {
    weather: Weather,
    /// Connections with a smaller number are half open: nobody is told, and nothing of theirs is ever delivered.
    forgotten: u64,
    /// Where the wire leads; nowhere yet when there is none.
    target: Option<SocketAddr>,
}

/// A wire. It is gone, connections and all, when it is dropped. Lives on the runtime it was made on.
pub struct Link {
    address: SocketAddr,
    told: Arc<watch::Sender<Told>>,
    next: Arc<AtomicU64>,
    accepting: JoinHandle<()>,
}

impl Drop for Link {
    fn drop(&mut self) {
        self.accepting.abort();
        self.weather(Weather::Cut);
    }
}

impl Link {
    /// A wire that leads nowhere yet.
    pub async fn new() -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let listener = listener.context("no port is free for a link")?;
        let address = listener.local_addr()?;
        let told = Told {
            weather: Weather::Fair,
            forgotten: 0,
            target: None,
        };
        let (told, next) = (Arc::new(watch::Sender::new(told)), Arc::new(AtomicU64::new(0)));
        let accepting = tokio::spawn(accept(listener, told.clone(), next.clone()));
        Ok(Self {
            address,
            told,
            next,
            accepting,
        })
    }

    /// A wire to `target`, as `host:port` of a numeric host.
    pub async fn to(target: &str) -> Result<Self> {
        let link = Self::new().await?;
        link.leads_to(target)?;
        Ok(link)
    }

    /// From now on it leads there.
    pub fn leads_to(&self, target: &str) -> Result<()> {
        let target = target
            .parse()
            .with_context(|| format!("{target} is no address"))?;
        self.told.send_modify(|told| told.target = Some(target));
        Ok(())
    }

    /// Where its near end listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Changes the weather, for connections that are open, too.
    pub fn weather(&self, weather: Weather) {
        self.told.send_modify(|told| told.weather = weather);
    }

    /// Carries again.
    pub fn heal(&self) {
        self.weather(Weather::Fair);
    }

    /// What a peer that has vanished leaves, or a firewall that has forgotten: connections that are open now stay so and
    /// never deliver anything again. New ones are carried.
    pub fn half_open(&self) {
        let next = self.next.load(Ordering::SeqCst);
        self.told.send_modify(|told| told.forgotten = next);
    }

    /// How many connections were ever made.
    pub fn connections(&self) -> u64 {
        self.next.load(Ordering::SeqCst)
    }
}

async fn accept(listener: TcpListener, told: Arc<watch::Sender<Told>>, next: Arc<AtomicU64>) {
    loop {
        let Ok((near, _)) = listener.accept().await else {
            // Out of files for a moment: whoever waits is taken later.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let wire = Wire {
            number: next.fetch_add(1, Ordering::SeqCst),
            told: told.subscribe(),
        };
        tokio::spawn(wire.carry(near));
    }
}

/// One connection.
#[derive(Clone)]
struct Wire {
    number: u64,
    told: watch::Receiver<Told>,
}

impl Wire {
    async fn carry(self, mut near: TcpStream) {
        let both = async {
            let target = self.clone().target().await?;
            let mut far = TcpStream::connect(target).await.ok()?;
            // Small messages are answered before more is sent; waiting for more would be a weather of its own.
            let _ = (near.set_nodelay(true), far.set_nodelay(true));
            let (near_reads, near_writes) = near.split();
            let (far_reads, far_writes) = far.split();
            tokio::join!(
                self.clone().pump(Way::There, near_reads, far_writes),
                self.clone().pump(Way::Back, far_reads, near_writes)
            );
            Some(())
        };
        let mut told = self.told.clone();
        let is_cut = tokio::select! {
            biased;
            _ = told.wait_for(|told| told.weather == Weather::Cut) => true,
            carried = both => carried.is_none(),
        };
        if is_cut {
            // Closed as by a reset, not as by somebody who has said everything.
            let _ = near.set_zero_linger();
        }
    }

    /// Where it leads, once the weather lets somebody ask.
    async fn target(mut self) -> Option<SocketAddr> {
        let number = self.number;
        let told = self
            .told
            .wait_for(|told| told.delivers(number, Way::There))
            .await
            .ok()?;
        told.target
    }

    /// Carries one direction until its sender has said everything.
    async fn pump(mut self, way: Way, mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin) {
        let mut chunk = vec![0; CHUNK];
        loop {
            let read = from.read(&mut chunk).await.unwrap_or(0);
            // The end of what is said is a message, too.
            if self.pass(way, read).await.is_none() {
                return;
            }
            if read == 0 || to.write_all(&chunk[..read]).await.is_err() {
                let _ = to.shutdown().await;
                return;
            }
        }
    }

    /// Returns when so many bytes may be delivered; none when the link is gone.
    async fn pass(&mut self, way: Way, bytes: usize) -> Option<()> {
        let number = self.number;
        let told = self.told.wait_for(|told| told.delivers(number, way)).await;
        let weather = told.ok()?.weather;
        match weather {
            Weather::Slow(late) => tokio::time::sleep(late).await,
            Weather::Narrow(a_second) => {
                let micros = 1_000_000 * bytes as u64 / u64::from(a_second.max(1));
                tokio::time::sleep(Duration::from_micros(micros)).await;
            }
            Weather::Fair | Weather::Mute | Weather::Silent | Weather::Cut => {}
        }
        Some(())
    }
}

impl Told {
    fn delivers(&self, number: u64, way: Way) -> bool {
        let carries = match self.weather {
            Weather::Silent | Weather::Cut => false,
            Weather::Mute => way == Way::There,
            Weather::Fair | Weather::Slow(_) | Weather::Narrow(_) => true,
        };
        carries && number >= self.forgotten
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::ErrorKind;
    use tokio::time::{Instant, timeout};

    /// Says everything back.
    async fn echo() -> SocketAddr {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
        let address = listener.local_addr().expect("bound");
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let (mut reads, mut writes) = stream.split();
                    let _ = tokio::io::copy(&mut reads, &mut writes).await;
                });
            }
        });
        address
    }

    async fn link() -> (Link, TcpStream) {
        let link = Link::to(&echo().await.to_string()).await.expect("a link");
        let stream = TcpStream::connect(link.address()).await.expect("connected");
        (link, stream)
    }

    async fn says(stream: &mut TcpStream, word: &[u8]) -> std::io::Result<Vec<u8>> {
        stream.write_all(word).await?;
        let mut heard = vec![0; word.len()];
        stream.read_exact(&mut heard).await?;
        Ok(heard)
    }

    #[tokio::test]
    async fn fair_link_should_carry_everything_and_the_end() {
        let (link, mut stream) = link().await;
        let long = vec![7; 10 * CHUNK];
        let (mut reads, mut writes) = stream.split();
        let sending = async {
            writes.write_all(&long).await.expect("sent");
            writes.shutdown().await.expect("said everything");
        };
        let mut heard = Vec::new();
        let (_, read) = tokio::join!(sending, reads.read_to_end(&mut heard));
        read.expect("the end comes back");
        assert_eq!((heard, link.connections()), (long, 1));
    }

    #[tokio::test]
    async fn silent_link_should_keep_what_is_sent_until_it_heals() {
        let (link, mut stream) = link().await;
        says(&mut stream, b"a").await.expect("carried");
        link.weather(Weather::Silent);
        let silence = timeout(Duration::from_millis(100), says(&mut stream, b"b")).await;
        assert!(silence.is_err(), "nothing comes, and no error either");
        link.heal();
        let mut heard = [0];
        stream.read_exact(&mut heard).await.expect("delivered late");
        assert_eq!(&heard, b"b");
    }

    #[tokio::test]
    async fn half_open_connection_should_stay_silent_while_new_ones_work() {
        let (link, mut old) = link().await;
        says(&mut old, b"a").await.expect("carried");
        link.half_open();
        assert!(
            timeout(Duration::from_millis(100), says(&mut old, b"b"))
                .await
                .is_err()
        );
        let mut new = TcpStream::connect(link.address()).await.expect("connected");
        assert_eq!(says(&mut new, b"c").await.expect("carried"), b"c");
        link.heal();
        let mut heard = [0];
        let late = timeout(Duration::from_millis(100), old.read_exact(&mut heard)).await;
        assert!(late.is_err(), "it is never delivered");
    }

    #[tokio::test]
    async fn mute_link_should_hold_answers_only() {
        let (link, mut stream) = link().await;
        link.weather(Weather::Mute);
        assert!(
            timeout(Duration::from_millis(100), says(&mut stream, b"a"))
                .await
                .is_err()
        );
        link.heal();
        let mut heard = [0];
        stream.read_exact(&mut heard).await.expect("answered long ago");
        assert_eq!(&heard, b"a");
    }

    #[tokio::test]
    async fn cut_link_should_reset_and_refuse_until_it_heals() {
        let (link, mut stream) = link().await;
        says(&mut stream, b"a").await.expect("carried");
        link.weather(Weather::Cut);
        let error = says(&mut stream, b"b").await.expect_err("reset");
        assert!(
            matches!(
                error.kind(),
                ErrorKind::ConnectionReset | ErrorKind::BrokenPipe | ErrorKind::UnexpectedEof
            ),
            "{error:?}"
        );
        let mut refused = TcpStream::connect(link.address())
            .await
            .expect("the near end listens");
        assert!(says(&mut refused, b"c").await.is_err(), "new ones, too");
        link.heal();
        let mut again = TcpStream::connect(link.address()).await.expect("connected");
        assert_eq!(says(&mut again, b"d").await.expect("carried"), b"d");
    }

    #[tokio::test]
    async fn slow_and_narrow_links_should_take_their_time() {
        let (link, mut stream) = link().await;
        link.weather(Weather::Slow(Duration::from_millis(60)));
        let begun = Instant::now();
        says(&mut stream, b"a").await.expect("carried");
        assert!(begun.elapsed() >= Duration::from_millis(120), "both ways");
        link.weather(Weather::Narrow(10_000));
        let begun = Instant::now();
        says(&mut stream, &[1; 1_000]).await.expect("carried");
        assert!(
            begun.elapsed() >= Duration::from_millis(200),
            "1 KB at 10 KB/s, both ways"
        );
    }

    #[tokio::test]
    async fn link_to_nobody_should_refuse() {
        let link = Link::new().await.expect("a link");
        let mut stream = TcpStream::connect(link.address())
            .await
            .expect("the near end listens");
        assert!(says(&mut stream, b"a").await.is_err());
        assert!(link.leads_to("localhost").is_err(), "an address has a port");
    }
}
