//! How a target is fuzzed: every seed as it is, then changed seeds, for a number of them or for a time.
//!
//! A change is a few edits: bits, bytes, pieces that are cut, repeated or taken from another seed, words that parsers
//! trip over, deep nesting. proptest makes them, catches panics and finds the smallest input that fails; that one is
//! written to a file, which goes into the corpus together with the mend.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, RngAlgorithm, TestError, TestRng, TestRunner};

/// Seconds that each target gets instead of a fixed number of inputs.
const SECONDS: &str = "VAULTSTREAM_FUZZ_SECONDS";
/// Inputs of a target in everyday tests.
const CASES: u32 = 2_000;
/// No door takes a larger text from a stranger; import lines and proofs are bounded by their own numbers.
const MAX_INPUT: usize = 96 * 1024;
/// No input may take longer: milliseconds are usual, and a machine can be busy.
const PATIENCE: Duration = Duration::from_secs(20);
/// What the whole process may have needed at most, in KiB.
const MEMORY_KIB: u64 = 1 << 20;
/// Words that parsers trip over.
const WORDS: &[&str] = &[
    "null",
    "true",
    "\"\"",
    "{}",
    "[]",
    "{",
    "[",
    "\"",
    "\\",
    "\\u0000",
    "\\ud800",
    "0",
    "-1",
    "-0",
    "+1",
    "00",
    "1e999",
    "0.1",
    "18446744073709551615",
    "18446744073709551616",
    "340282366920938463463374607431768211456",
    "\u{0}",
    "\n",
    "\r\n",
    "\u{feff}",
    "\u{202e}",
    "é",
    "%",
    "%00",
    "%zz",
    "&",
    "=",
    "..",
    "/",
    ":",
    "__proto__",
    "0x",
    "0X",
    "=?",
    "#",
    "\"\"\"",
    "...",
    "@include(if: true)",
    "9999-12-31T23:59:59-23:59",
    "0000-01-01T00:00:00+23:59",
    "1970-01-01T00:00:00Z",
];

/// What a target says of an input: nothing, or what is wrong.
pub type Verdict = Result<(), String>;

/// Refuses with words unless something holds.
macro_rules! holds {
    ($holds:expr, $($words:tt)+) => {
        if !$holds {
            return Err(format!($($words)+));
        }
    };
}
pub(crate) use holds;

#[derive(Clone, Debug)]
enum Edit {
    Flip(Index, u8),
    Put(Index, u8),
    Insert(Index, Vec<u8>),
    Word(Index, Index),
    Cut(Index, Index),
    Repeat(Index, Index, u8),
    Splice(Index, Index, Index, Index),
    Nest(Index, u16, bool),
}

fn edit() -> impl Strategy<Value = Edit> {
    let at = any::<Index>;
    prop_oneof![
        3 => (at(), any::<u8>()).prop_map(|(a, bit)| Edit::Flip(a, 1 << (bit % 8))),
        3 => (at(), any::<u8>()).prop_map(|(a, byte)| Edit::Put(a, byte)),
        2 => (at(), prop::collection::vec(any::<u8>(), 1..9)).prop_map(|(a, bytes)| Edit::Insert(a, bytes)),
        4 => (at(), at()).prop_map(|(a, word)| Edit::Word(a, word)),
        3 => (at(), at()).prop_map(|(a, b)| Edit::Cut(a, b)),
        2 => (at(), at(), any::<u8>()).prop_map(|(a, b, times)| Edit::Repeat(a, b, times)),
        2 => (at(), at(), at(), at()).prop_map(|(a, seed, b, c)| Edit::Splice(a, seed, b, c)),
        1 => (at(), any::<u16>(), any::<bool>()).prop_map(|(a, deep, array)| Edit::Nest(a, deep, array)),
    ]
}

/// A place between two bytes, or behind the last.
fn place(index: Index, bytes: &[u8]) -> usize {
    index.index(bytes.len() + 1)
}

fn range(a: Index, b: Index, bytes: &[u8]) -> std::ops::Range<usize> {
    let (a, b) = (place(a, bytes), place(b, bytes));
    a.min(b)..a.max(b)
}

fn edited(mut bytes: Vec<u8>, edits: &[Edit], seeds: &[Vec<u8>]) -> Vec<u8> {
    for edit in edits {
        match edit {
            Edit::Flip(a, mask) if !bytes.is_empty() => {
                let at = a.index(bytes.len());
                bytes[at] ^= mask;
            }
            Edit::Put(a, byte) if !bytes.is_empty() => {
                let at = a.index(bytes.len());
                bytes[at] = *byte;
            }
            Edit::Flip(..) | Edit::Put(..) => {}
            Edit::Insert(a, more) => put(&mut bytes, *a, more),
            Edit::Word(a, word) => put(&mut bytes, *a, word.get(WORDS).as_bytes()),
            Edit::Cut(a, b) => drop(bytes.drain(range(*a, *b, &bytes))),
            Edit::Repeat(a, b, times) => {
                let piece = bytes[range(*a, *b, &bytes)].repeat(usize::from(*times));
                put(&mut bytes, *a, &piece);
            }
            Edit::Splice(a, seed, b, c) => {
                let other = seed.get(seeds);
                put(&mut bytes, *a, &other[range(*b, *c, other)]);
            }
            Edit::Nest(a, deep, array) => {
                let open = if *array { "[" } else { "{\"a\":" };
                put(&mut bytes, *a, open.repeat(usize::from(*deep)).as_bytes());
            }
        }
        bytes.truncate(MAX_INPUT);
    }
    bytes
}

fn put(bytes: &mut Vec<u8>, at: Index, more: &[u8]) {
    let at = place(at, bytes);
    bytes.splice(at..at, more.iter().copied());
}

/// An input, shown as far as a person reads.
#[derive(Clone)]
struct Input(Vec<u8>);

impl std::fmt::Debug for Input {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let shown = &self.0[..self.0.len().min(2_000)];
        write!(f, "{} bytes: {:?}", self.0.len(), String::from_utf8_lossy(shown))
    }
}

fn inputs(seeds: Vec<Vec<u8>>) -> impl Strategy<Value = Input> {
    let edits = prop::collection::vec(edit(), 1..7);
    let changed = (any::<Index>(), edits)
        .prop_map(move |(seed, edits)| Input(edited(seed.get(&seeds).clone(), &edits, &seeds)));
    let noise = prop::collection::vec(any::<u8>(), 0..200).prop_map(Input);
    prop_oneof![15 => changed, 1 => noise]
}

/// A parser under test.
pub struct Target<'a> {
    /// Its name, and the folder of its seeds under `corpus/`.
    pub name: &'a str,
    /// Where `corpus/` is.
    pub corpus: PathBuf,
    /// Seeds beside the committed ones.
    pub more: Vec<Vec<u8>>,
    /// One of how many inputs is enough in everyday tests, for targets whose inputs cost more than a parser's time.
    pub one_in: u32,
}

impl<'a> Target<'a> {
    /// A target with committed seeds.
    pub fn new(name: &'a str) -> Self {
        Self {
            name,
            corpus: Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus"),
            more: Vec::new(),
            one_in: 1,
        }
    }

    /// The same with seeds that are made when they are needed.
    pub fn with(self, more: Vec<Vec<u8>>) -> Self {
        Self { more, ..self }
    }

    /// The same with fewer inputs in everyday tests.
    pub fn one_in(self, one_in: u32) -> Self {
        Self { one_in, ..self }
    }

    fn seeds(&self) -> Vec<Vec<u8>> {
        let folder = self.corpus.join(self.name);
        let files = folder
            .read_dir()
            .unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
        let mut files: Vec<_> = files.map(|file| file.expect("a file").path()).collect();
        files.sort();
        let read = files.iter().map(|file| seed(file));
        let seeds: Vec<_> = read.chain(self.more.iter().cloned()).collect();
        assert!(
            !seeds.is_empty(),
            "{} has no seeds in {}",
            self.name,
            folder.display()
        );
        seeds
    }

    /// Fuzzes it.
    ///
    /// # Panics
    /// When an input breaks a promise.
    pub fn fuzz(&self, check: impl Fn(&[u8]) -> Verdict) {
        let seeds = self.seeds();
        for seed in &seeds {
            if let Err(words) = timely(&check, seed) {
                panic!("{}: a seed fails: {words}\n{:?}", self.name, Input(seed.clone()));
            }
        }
        let begun = Instant::now();
        let asked = std::env::var(SECONDS).ok().map(|text| {
            let seconds = text
                .parse()
                .unwrap_or_else(|_| panic!("{SECONDS} is a number of seconds, not {text:?}"));
            Duration::from_secs(seconds)
        });
        let first = if asked.is_some() { seed_of_now() } else { 0 };
        let mut rounds = 0;
        loop {
            self.round(first.wrapping_add(rounds), &seeds, &check);
            rounds += 1;
            if asked.is_none_or(|time| begun.elapsed() >= time) {
                break;
            }
        }
        let inputs = rounds * u64::from(self.cases());
        let seconds = begun.elapsed().as_secs_f64();
        println!(
            "{}: {} seeds, {inputs} inputs in {seconds:.1} s, random seed {first}",
            self.name,
            seeds.len()
        );
        let needed = memory_kib();
        assert!(
            needed <= MEMORY_KIB,
            "{}: the process needed {needed} KiB",
            self.name
        );
    }

    fn cases(&self) -> u32 {
        (CASES / self.one_in).max(1)
    }

    fn round(&self, seed: u64, seeds: &[Vec<u8>], check: &impl Fn(&[u8]) -> Verdict) {
        let config = Config {
            cases: self.cases(),
            failure_persistence: None,
            max_shrink_iters: 4_096,
            ..Config::default()
        };
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_be_bytes());
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
        let mut runner = TestRunner::new_with_rng(config, rng);
        let result = runner.run(&inputs(seeds.to_vec()), |Input(bytes)| {
            timely(check, &bytes).map_err(TestCaseError::fail)
        });
        match result {
            Ok(()) => {}
            Err(TestError::Fail(words, input)) => {
                let file = self.keep(&input.0);
                panic!(
                    "{}: {words}\n{input:?}\nThe smallest input that fails is in {}; put it into {} with the mend.",
                    self.name,
                    file.display(),
                    self.corpus.join(self.name).display()
                );
            }
            Err(TestError::Abort(words)) => panic!("{}: {words}", self.name),
        }
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "an input that broke something outlives the run that found it"
    )]
    fn keep(&self, input: &[u8]) -> PathBuf {
        let file =
            std::env::temp_dir().join(format!("vaultstream-fuzz-{}-{}", self.name, std::process::id()));
        // Where it cannot be written, what is printed has to do.
        let _ = std::fs::write(&file, input);
        file
    }
}

/// A seed's bytes; one that is no text is kept in hexadecimal digits, with a name that ends in `.hex`.
fn seed(file: &Path) -> Vec<u8> {
    let bytes = std::fs::read(file).expect("a seed is read");
    if file.extension().is_none_or(|extension| extension != "hex") {
        return bytes;
    }
    let digits: Vec<u8> = bytes.iter().copied().filter(u8::is_ascii_hexdigit).collect();
    let text = String::from_utf8(digits).expect("digits");
    let pairs = (0..text.len() / 2).map(|n| &text[2 * n..2 * n + 2]);
    pairs
        .map(|pair| u8::from_str_radix(pair, 16).expect("a byte"))
        .collect()
}

fn timely(check: &impl Fn(&[u8]) -> Verdict, bytes: &[u8]) -> Verdict {
    let begun = Instant::now();
    check(bytes)?;
    let took = begun.elapsed();
    holds!(took < PATIENCE, "it took {took:?}");
    Ok(())
}

#[expect(
    clippy::disallowed_methods,
    reason = "a seed that differs between runs; nothing is told the time"
)]
fn seed_of_now() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(0, |since| since.as_secs())
}

/// The most memory the process ever had; 0 where the system does not say.
fn memory_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok())
        .unwrap_or(0)
}
