//! The first words of each engine's own protocol: an open port is not yet an engine that works.
//!
//! Each function asks once and says whether the engine is ready; an error means "not yet". Nothing here waits
//! longer than a few seconds.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(3);

pub(crate) fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    Ok(stream)
}

fn read<const N: usize>(stream: &mut TcpStream) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    stream.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// The start-up message of protocol 3.0; `R` is the answer of a server that takes connections, `E` of one that is
/// still recovering.
pub(crate) fn postgres(address: SocketAddr) -> io::Result<bool> {
    let words = b"\0\x03\0\0user\0postgres\0database\0postgres\0\0";
    let mut message = length(words.len() + 4);
    message.extend_from_slice(words);
    let mut stream = connect(address)?;
    stream.write_all(&message)?;
    Ok(read::<1>(&mut stream)? == *b"R")
}

/// `PING`; a Redis that still loads its data answers with an error.
pub(crate) fn redis(address: SocketAddr) -> io::Result<bool> {
    let mut stream = connect(address)?;
    stream.write_all(b"PING\r\n")?;
    Ok(read::<5>(&mut stream)? == *b"+PONG")
}

/// `OPTIONS` of CQL's protocol 4; ready is who answers `SUPPORTED`.
pub(crate) fn cassandra(address: SocketAddr) -> io::Result<bool> {
    const SUPPORTED: u8 = 6;
    let mut stream = connect(address)?;
    stream.write_all(&[4, 0, 0, 0, 5, 0, 0, 0, 0])?;
    Ok(read::<9>(&mut stream)?[4] == SUPPORTED)
}

/// `Metadata` version 0 for all topics: ready is a broker that knows of one broker, itself.
pub(crate) fn kafka(address: SocketAddr) -> io::Result<bool> {
    const METADATA: u8 = 3;
    let mut stream = connect(address)?;
    let mut request = length(14);
    request.extend_from_slice(&[0, METADATA, 0, 0, 0, 0, 0, 1, 0xff, 0xff, 0, 0, 0, 0]);
    stream.write_all(&request)?;
    let answer = read::<12>(&mut stream)?;
    let brokers = [answer[8], answer[9], answer[10], answer[11]];
    Ok(i32::from_be_bytes(brokers) == 1)
}

fn length(bytes: usize) -> Vec<u8> {
    let length = u32::try_from(bytes).unwrap_or(u32::MAX);
    length.to_be_bytes().to_vec()
}
