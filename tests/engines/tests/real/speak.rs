//! Just enough of each protocol to write something and to read it back.

use anyhow::{Context, Result, bail, ensure};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(20);
/// For questions that a frozen engine leaves unanswered.
const SHORT: Duration = Duration::from_millis(800);

fn connect(address: &str, patience: Duration) -> Result<TcpStream> {
    let stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(patience))?;
    Ok(stream)
}

fn exactly(stream: &mut TcpStream, bytes: usize) -> Result<Vec<u8>> {
    let mut buffer = vec![0; bytes];
    stream.read_exact(&mut buffer)?;
    Ok(buffer)
}

fn number(bytes: &[u8]) -> Result<usize> {
    let bytes: [u8; 4] = bytes.try_into().context("four bytes make a length")?;
    usize::try_from(i32::from_be_bytes(bytes)).context("a negative length")
}

/// Lengths in these protocols are signed and small here.
fn length(bytes: usize) -> [u8; 4] {
    i32::try_from(bytes)
        .expect("requests of tests are short")
        .to_be_bytes()
}

/// PostgreSQL: one statement by the simple protocol; the first column of each row.
pub fn sql(url: &str, statement: &str) -> Result<Vec<String>> {
    let address = url
        .trim_start_matches("postgres://postgres@")
        .trim_end_matches("/postgres");
    let patience = if statement.starts_with("SELECT") {
        SHORT
    } else {
        PATIENCE
    };
    let mut stream = connect(address, patience)?;
    let hello = b"\0\x03\0\0user\0postgres\0database\0postgres\0\0";
    stream.write_all(&[&length(hello.len() + 4)[..], hello].concat())?;
    messages(&mut stream)?;
    let text = [statement.as_bytes(), b"\0"].concat();
    stream.write_all(&[b"Q", &length(text.len() + 4)[..], &text].concat())?;
    let rows = messages(&mut stream)?
        .into_iter()
        .filter(|(kind, _)| *kind == b'D');
    // A row: the number of columns, then a length and a value for each.
    rows.map(|(_, row)| {
        let value = number(row.get(2..6).context("a row has a column")?)?;
        let text = row.get(6..6 + value).context("a short row")?;
        Ok(String::from_utf8(text.to_vec())?)
    })
    .collect()
}

/// Everything up to `ReadyForQuery`.
fn messages(stream: &mut TcpStream) -> Result<Vec<(u8, Vec<u8>)>> {
    let mut seen = Vec::new();
    loop {
        let head = exactly(stream, 5)?;
        let body = exactly(stream, number(&head[1..])?.saturating_sub(4))?;
        match head[0] {
            b'E' => bail!("{}", String::from_utf8_lossy(&body)),
            b'Z' => return Ok(seen),
            kind => seen.push((kind, body)),
        }
    }
}

/// Redis: one command, the rest of what came with the first packet.
pub fn redis(url: &str, command: &str) -> Result<String> {
    let address = url.trim_start_matches("redis://").trim_end_matches('/');
    let mut stream = connect(address, SHORT)?;
    stream.write_all(format!("{command}\r\n").as_bytes())?;
    let mut buffer = [0; 512];
    let read = stream.read(&mut buffer)?;
    let answer = String::from_utf8_lossy(&buffer[..read]).into_owned();
    ensure!(read > 0 && !answer.starts_with('-'), "{answer}");
    Ok(answer)
}

/// Cassandra: one statement at consistency ONE; the body of the answer as it came.
pub fn cql(contact_point: &str, statement: &str) -> Result<Vec<u8>> {
    const STARTUP: u8 = 1;
    const QUERY: u8 = 7;
    let patience = if statement.starts_with("SELECT") {
        SHORT
    } else {
        PATIENCE
    };
    let mut stream = connect(contact_point, patience)?;
    frame(&mut stream, STARTUP, b"\0\x01\0\x0bCQL_VERSION\0\x053.0.0")?;
    let body = [&length(statement.len())[..], statement.as_bytes(), &[0, 1, 0]].concat();
    frame(&mut stream, QUERY, &body)
}

fn frame(stream: &mut TcpStream, opcode: u8, body: &[u8]) -> Result<Vec<u8>> {
    const ERROR: u8 = 0;
    let head = [&[4, 0, 0, 0, opcode][..], &length(body.len())].concat();
    stream.write_all(&[&head, body].concat())?;
    let head = exactly(stream, 9)?;
    let body = exactly(stream, number(&head[5..])?)?;
    ensure!(head[4] != ERROR, "{}", String::from_utf8_lossy(&body));
    Ok(body)
}

/// Kafka: makes a topic with one partition.
pub fn make_topic(bootstrap: &str, name: &str) -> Result<()> {
    const CREATE_TOPICS: u8 = 19;
    let mut body = vec![0, 0, 0, 1];
    body.extend(text(name));
    // One partition, one replica, no assignment, no setting, ten seconds, not a rehearsal.
    body.extend([0, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x27, 0x10, 0]);
    let answer = kafka(bootstrap, CREATE_TOPICS, 2, &body, PATIENCE)?;
    // Throttling, one topic, its name, the error's number.
    let at = 4 + 4 + 2 + name.len();
    let error = answer.get(at..at + 2).context("a short answer")?;
    ensure!(error == [0, 0], "error {error:?} for topic {name}");
    Ok(())
}

/// Kafka: whether the topic is there.
pub fn has_topic(bootstrap: &str, name: &str) -> Result<bool> {
    const METADATA: u8 = 3;
    let answer = kafka(bootstrap, METADATA, 0, &[0, 0, 0, 0], SHORT)?;
    Ok(answer.windows(name.len()).any(|part| part == name.as_bytes()))
}

fn kafka(bootstrap: &str, api: u8, version: u8, body: &[u8], patience: Duration) -> Result<Vec<u8>> {
    let mut stream = connect(bootstrap, patience)?;
    // No client id: a string of length -1.
    let head = [0, api, 0, version, 0, 0, 0, 1, 0xff, 0xff];
    stream.write_all(&[&length(head.len() + body.len())[..], &head, body].concat())?;
    let size = exactly(&mut stream, 4)?;
    let mut answer = exactly(&mut stream, number(&size)?)?;
    ensure!(answer.len() >= 4, "an answer without its correlation");
    Ok(answer.split_off(4))
}

fn text(value: &str) -> Vec<u8> {
    let bytes = u16::try_from(value.len()).expect("names of tests are short");
    [&bytes.to_be_bytes()[..], value.as_bytes()].concat()
}
