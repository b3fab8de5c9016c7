//! A minimal ERC-20 in EVM assembly: `transfer` and `balanceOf`, balances in the slot numbered by the address, one
//! million units for the deployer, a revert reason when the balance is too low.

use crate::signer::keccak;

/// Runs at creation: mints, then returns what follows it as the contract's code.
const CONSTRUCTOR: &str = "
    0x0f4240 CALLER SSTORE
    CODESIZE @size SWAP1 SUB        ; length of the runtime
    DUP1 @size 0x00 CODECOPY
    0x00 RETURN
";

const RUNTIME: &str = "
    0x00 CALLDATALOAD 0xe0 SHR
    DUP1 0xa9059cbb EQ @transfer JUMPI
    DUP1 0x70a08231 EQ @balance JUMPI
    0x00 0x00 REVERT

    transfer:
    0x24 CALLDATALOAD CALLER SLOAD  ; amount, balance
    DUP2 DUP2 LT @poor JUMPI        ; balance < amount
    DUP2 SWAP1 SUB CALLER SSTORE    ; amount
    0x04 CALLDATALOAD               ; amount, to
    DUP1 SLOAD DUP3 ADD DUP2 SSTORE
    DUP2 0x00 MSTORE
    CALLER
    0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef
    0x20 0x00 LOG3                  ; Transfer(caller, to, amount)
    0x01 0x00 MSTORE 0x20 0x00 RETURN

    balance:
    0x04 CALLDATALOAD SLOAD 0x00 MSTORE 0x20 0x00 RETURN

    poor:                           ; Error(\"balance too low\")
    0x08c379a0 0xe0 SHL 0x00 MSTORE
    0x20 0x04 MSTORE
    0x0f 0x24 MSTORE
    0x62616c616e636520746f6f206c6f77 0x88 SHL 0x44 MSTORE
    0x64 0x00 REVERT
";

const OPCODES: [(&str, u8); 25] = [
    ("ADD", 0x01),
    ("SUB", 0x03),
    ("LT", 0x10),
    ("EQ", 0x14),
    ("SHL", 0x1b),
    ("SHR", 0x1c),
    ("CALLER", 0x33),
    ("CALLDATALOAD", 0x35),
    ("CODESIZE", 0x38),
    ("CODECOPY", 0x39),
    ("MSTORE", 0x52),
    ("SLOAD", 0x54),
    ("SSTORE", 0x55),
    ("JUMP", 0x56),
    ("JUMPI", 0x57),
    ("DUP1", 0x80),
    ("DUP2", 0x81),
    ("DUP3", 0x82),
    ("SWAP1", 0x90),
    ("LOG3", 0xa3),
    ("RETURN", 0xf3),
    ("REVERT", 0xfd),
    ("INVALID", 0xfe),
    ("STOP", 0x00),
    ("SELFDESTRUCT", 0xff),
];

/// Turns mnemonics, `0x` literals (pushed), `label:` (a JUMPDEST) and `@label` (its offset, one byte) into bytecode.
/// `@size` is the length of the whole.
pub fn assemble(source: &str) -> Vec<u8> {
    let words: Vec<&str> = source
        .lines()
        .flat_map(|line| line.split(';').next().unwrap_or_default().split_whitespace())
        .collect();
    let mut labels = Vec::new();
    let mut size = 0usize;
    for word in &words {
        if let Some(label) = word.strip_suffix(':') {
            labels.push((label, size));
        }
        size += if word.starts_with('@') {
            2
        } else {
            1 + word.strip_prefix("0x").map_or(0, |digits| digits.len() / 2)
        };
    }
    labels.push(("size", size));
    let mut code = Vec::new();
    for word in words {
        if let Some(digits) = word.strip_prefix("0x") {
            let bytes = hex::decode(digits).expect("hex literal");
            code.push(0x5f + u8::try_from(bytes.len()).expect("at most 32 bytes"));
            code.extend(bytes);
        } else if let Some(label) = word.strip_prefix('@') {
            let (_, at) = labels
                .iter()
                .find(|(name, _)| *name == label)
                .expect("a known label");
            code.extend([0x60, u8::try_from(*at).expect("a short program")]);
        } else if word.ends_with(':') {
            code.push(0x5b);
        } else {
            code.push(
                OPCODES
                    .iter()
                    .find(|(name, _)| *name == word)
                    .expect("a known mnemonic")
                    .1,
            );
        }
    }
    code
}

pub fn runtime() -> Vec<u8> {
    assemble(RUNTIME)
}

pub fn creation() -> Vec<u8> {
    [assemble(CONSTRUCTOR), runtime()].concat()
}

fn word(address: [u8; 20]) -> [u8; 32] {
    let mut word = [0; 32];
    word[12..].copy_from_slice(&address);
    word
}

pub fn transfer(to: [u8; 20], amount: u128) -> Vec<u8> {
    let mut units = [0; 32];
    units[16..].copy_from_slice(&amount.to_be_bytes());
    [&keccak(b"transfer(address,uint256)")[..4], &word(to), &units].concat()
}

pub fn balance_of(owner: [u8; 20]) -> Vec<u8> {
    [&keccak(b"balanceOf(address)")[..4], &word(owner)].concat()
}

/// An indexed address as a topic.
pub fn topic(address: [u8; 20]) -> String {
    format!("0x{}", hex::encode(word(address)))
}
