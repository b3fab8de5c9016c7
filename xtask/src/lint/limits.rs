//! Every threshold of the ratchets, in one place. Numbers may get stricter; a looser one needs an ADR.

/// Lines of half of all files, inline tests not counted.
pub const FILE_LINES_MEDIAN: usize = 120;
/// Lines of nine files in ten.
pub const FILE_LINES_P90: usize = 350;
/// Lines of any file.
pub const FILE_LINES_MAX: usize = 600;
/// Lines of unit tests that may stay in the file they test.
pub const INLINE_TEST_LINES_MAX: usize = 200;
/// Lines of nine functions in ten, from `fn` to the closing brace.
pub const FUNCTION_LINES_P90: usize = 40;
/// A function above this is long …
pub const FUNCTION_LINES_LONG: usize = 70;
/// … and at most one function in this many may be.
pub const FUNCTIONS_PER_LONG_ONE: usize = 100;
/// Arguments of a function, `self` counted.
pub const ARGUMENTS_MAX: usize = 6;
/// Type parameters of a function, type, trait or impl.
pub const TYPE_PARAMETERS_MAX: usize = 4;
/// Bytes of any tracked file but the lock file.
pub const TRACKED_BYTES_MAX: u64 = 512 * 1024;
/// Bytes of the dashboard's module as a browser fetches it.
pub const WASM_BROTLI_BYTES_MAX: u64 = 300_000;
