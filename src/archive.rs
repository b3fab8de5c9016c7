//! `vaultstream export` and `import`: the log as JSON lines, from one assembly into another.
//!
//! Both open the log alone. The embedded log belongs to one process: stop the product first. An import goes into a log
//! that nobody writes to; it may be cut and run again.

use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use vaultstream_domain::ports::EventLog;
use vaultstream_kernel::archive::{Importer, MAX_LINE, Range, export};

use crate::assembly::open_log;
use crate::config::{Config, Overrides};

/// Which log.
#[derive(Debug, clap::Args)]
pub struct Which {
    /// A TOML file that overrides the committed defaults.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where everything durable lies.
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

/// Options of `export`.
#[derive(Debug, clap::Args)]
pub struct Export {
    #[command(flatten)]
    which: Which,
    /// The file to write; it must not exist.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Only this shard.
    #[arg(long, value_name = "NUMBER")]
    shard: Option<u16>,
    /// Only positions above this one.
    #[arg(long, value_name = "POSITION", default_value_t = 0, requires = "shard")]
    after: u64,
    /// Only positions up to this one.
    #[arg(long, value_name = "POSITION", requires = "shard")]
    upto: Option<u64>,
}

/// Options of `import`.
#[derive(Debug, clap::Args)]
pub struct Import {
    #[command(flatten)]
    which: Which,
    /// The file that `export` wrote.
    #[arg(long, value_name = "FILE")]
    from: PathBuf,
}

/// Writes ranges of the log into a new file.
pub fn run_export(options: &Export) -> Result<()> {
    with_log(&options.which, false, async |log| {
        let heads = log.heads().await?;
        let ranges: Vec<Range> = heads
            .iter()
            .filter(|(shard, _)| options.shard.is_none_or(|wanted| shard.0 == wanted))
            .map(|(shard, head)| Range {
                shard: *shard,
                after: options.after,
                upto: options.upto.unwrap_or(u64::MAX).min(head.position),
            })
            .collect();
        ensure!(
            !ranges.is_empty(),
            "--shard {:?} is not in this log; it has 0 to {}",
            options.shard,
            heads.len() - 1
        );
        let file = File::create_new(&options.out).with_context(|| {
            format!(
                "{} cannot be written; choose a new file with --out",
                options.out.display()
            )
        })?;
        let mut out = BufWriter::new(file);
        let count = export(log.as_ref(), &ranges, |line| {
            out.write_all(line)?;
            out.write_all(b"\n")
        })
        .await?;
        out.into_inner()
            .map_err(std::io::IntoInnerError::into_error)?
            .sync_all()?;
        println!(
            "{} events of {} shards are in {}",
            count.events,
            ranges.len(),
            options.out.display()
        );
        Ok(())
    })
}

/// Takes a file into the log, whose tables are made when there are none.
pub fn run_import(options: &Import) -> Result<()> {
    with_log(&options.which, true, async |log| {
        let mut lines = Lines::open(&options.from)?;
        let Some(header) = lines.next()? else {
            bail!(
                "{} is empty; give a file that `vaultstream export` wrote",
                options.from.display()
            );
        };
        let mut importer = Importer::start(log.as_ref(), header).await?;
        while let Some(line) = lines.next()? {
            importer.take(line).await?;
        }
        let count = importer.finish().await?;
        println!(
            "{} events imported, {} were there already and are the same",
            count.events, count.known
        );
        Ok(())
    })
}

fn with_log(
    which: &Which,
    migrates: bool,
    work: impl AsyncFnOnce(Arc<dyn EventLog>) -> Result<()>,
) -> Result<()> {
    let overrides = Overrides {
        data_dir: which.data_dir.clone(),
        ..Overrides::default()
    };
    let config = Config::load(which.config.as_deref(), &overrides)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async { work(open_log(&config, migrates).await?).await })
}

/// Lines of a file, one in memory at a time, none longer than a record can be.
struct Lines {
    reader: BufReader<File>,
    line: Vec<u8>,
}

impl Lines {
    fn open(path: &Path) -> Result<Self> {
        let file = File::open(path).with_context(|| format!("{} cannot be read", path.display()))?;
        Ok(Self {
            reader: BufReader::new(file),
            line: Vec::new(),
        })
    }

    fn next(&mut self) -> Result<Option<&[u8]>> {
        self.line.clear();
        let most = u64::try_from(MAX_LINE).unwrap_or(u64::MAX) + 1;
        let read = self
            .reader
            .by_ref()
            .take(most)
            .read_until(b'\n', &mut self.line)?;
        if self.line.last() == Some(&b'\n') {
            self.line.pop();
        }
        // A line that is too long is refused by its number where it is taken.
        Ok((read > 0).then_some(self.line.as_slice()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_should_be_bounded_and_bear_a_missing_end() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("lines");
        let mut bytes = b"one\n\n".to_vec();
        bytes.extend(std::iter::repeat_n(b'x', MAX_LINE + 10));
        std::fs::write(&path, bytes).expect("written");
        let mut lines = Lines::open(&path).expect("opens");
        assert_eq!(lines.next().expect("read"), Some(&b"one"[..]));
        assert_eq!(lines.next().expect("read"), Some(&b""[..]));
        assert_eq!(
            lines.next().expect("read").map(<[u8]>::len),
            Some(MAX_LINE + 1),
            "longer than any record"
        );
        assert_eq!(lines.next().expect("read").map(<[u8]>::len), Some(9));
        assert_eq!(lines.next().expect("read"), None);
    }
}
