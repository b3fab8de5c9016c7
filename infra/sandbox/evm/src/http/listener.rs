//! A listener whose connections are counted and can be cut from outside, as a crash or a firewall would.

use std::{
    future::pending,
    io,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    extract::connect_info::Connected,
    serve::{IncomingStream, Listener},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
};

use crate::faults::{Faults, Line};

/// Open connections per port; more wait in the kernel's backlog.
const MAX_CONNECTIONS: usize = 512;

pub(crate) struct PortListener {
    inner: TcpListener,
    faults: Arc<Faults>,
    /// Whether the faults of the public port apply here.
    faulty: bool,
    room: Arc<Semaphore>,
}

impl PortListener {
    pub(crate) fn new(inner: TcpListener, faults: Arc<Faults>, faulty: bool) -> Self {
        Self {
            inner,
            faults,
            faulty,
            room: Arc::new(Semaphore::new(MAX_CONNECTIONS)),
        }
    }
}

impl Listener for PortListener {
    type Io = Wire;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Wire, SocketAddr) {
        let Ok(room) = self.room.clone().acquire_owned().await else {
            return pending().await; // the semaphore is never closed
        };
        loop {
            match self.inner.accept().await {
                Ok((stream, _)) if self.faulty && self.faults.refusing() => {
                    // no lingering: the peer sees a reset, not an orderly end
                    let _ = stream.set_zero_linger();
                }
                Ok((stream, address)) => {
                    let _ = stream.set_nodelay(true);
                    let line = if self.faulty {
                        self.faults.line()
                    } else {
                        Arc::default()
                    };
                    return (
                        Wire {
                            stream,
                            line,
                            _room: room,
                        },
                        address,
                    );
                }
                Err(error) => {
                    tracing::warn!(%error, "accept failed");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.inner.local_addr()
    }
}

/// A connection that ends with a reset once its line is cut.
pub(crate) struct Wire {
    stream: TcpStream,
    line: Arc<Line>,
    _room: OwnedSemaphorePermit,
}

impl Wire {
    fn alive(&self) -> io::Result<()> {
        if !self.line.is_cut() {
            return Ok(());
        }
        let _ = self.stream.set_zero_linger();
        Err(io::ErrorKind::ConnectionReset.into())
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.line.watch(cx.waker());
        self.alive()?;
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.alive()?;
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.alive()?;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// The line a request came in on.
#[derive(Clone)]
pub(super) struct OnLine(pub(super) Arc<Line>);

impl Connected<IncomingStream<'_, PortListener>> for OnLine {
    fn connect_info(stream: IncomingStream<'_, PortListener>) -> Self {
        Self(stream.io().line.clone())
    }
}
