//! The tests' own signer: `k256` and `rlp`, nothing of the crate under test.

use k256::ecdsa::{RecoveryId, Signature, SigningKey};
use rlp::RlpStream;
use sha3::{Digest, Keccak256};

/// Order of secp256k1.
const ORDER: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe, 0xba,
    0xae, 0xdc, 0xe6, 0xaf, 0x48, 0xa0, 0x3b, 0xbf, 0xd2, 0x5e, 0x8c, 0xd0, 0x36, 0x41, 0x41,
];

pub const GWEI: u128 = 1_000_000_000;
pub const ETHER: u128 = 1_000_000_000_000_000_000;

pub fn keccak(bytes: &[u8]) -> [u8; 32] {
    Keccak256::digest(bytes).into()
}

/// A key made from a number.
#[derive(Clone)]
pub struct Key(SigningKey);

/// What to sign. Type 2 unless told otherwise.
#[derive(Clone, Debug)]
pub struct Plan {
    pub kind: u8,
    pub chain_id: u64,
    pub nonce: u64,
    pub tip: u128,
    /// Gas price of the older types.
    pub cap: u128,
    pub gas: u64,
    pub to: Option<[u8; 20]>,
    pub value: u128,
    pub input: Vec<u8>,
    /// Of types 1 and 2.
    pub access: Vec<([u8; 20], Vec<[u8; 32]>)>,
}

impl Plan {
    /// A transfer with room for a few base fee rises.
    pub fn pay(nonce: u64, to: [u8; 20], value: u128) -> Self {
        Self {
            kind: 2,
            chain_id: 31_337,
            nonce,
            tip: GWEI,
            cap: 10 * GWEI,
            gas: 21_000,
            to: Some(to),
            value,
            input: Vec::new(),
            access: Vec::new(),
        }
    }

    fn fields(&self, out: &mut RlpStream) {
        if self.kind != 0 {
            out.append(&self.chain_id);
        }
        out.append(&self.nonce);
        if self.kind == 2 {
            out.append(&self.tip);
        }
        out.append(&self.cap).append(&self.gas);
        match self.to {
            Some(to) => out.append(&to.as_slice()),
            None => out.append_empty_data(),
        };
        out.append(&self.value).append(&self.input);
        if self.kind != 0 {
            out.begin_list(self.access.len());
            for (address, keys) in &self.access {
                out.begin_list(2)
                    .append(&address.as_slice())
                    .begin_list(keys.len());
                for key in keys {
                    out.append(&key.as_slice());
                }
            }
        }
    }

    fn wrap(&self, out: RlpStream) -> Vec<u8> {
        let body = out.out().to_vec();
        if self.kind == 0 {
            body
        } else {
            [vec![self.kind], body].concat()
        }
    }
}

impl Key {
    pub fn new(number: u8) -> Self {
        let mut secret = [0x11; 32];
        secret[31] = number;
        Self(SigningKey::from_slice(&secret).expect("below the order"))
    }

    pub fn address(&self) -> [u8; 20] {
        let point = self.0.verifying_key().to_encoded_point(false);
        keccak(&point.as_bytes()[1..])[12..]
            .try_into()
            .expect("20 of 32 bytes")
    }

    pub fn sign(&self, plan: &Plan) -> Vec<u8> {
        self.sign_with(plan, |_| {})
    }

    /// Signs and lets `spoil` change v, r and s before they are written.
    pub fn sign_with(&self, plan: &Plan, spoil: impl FnOnce(&mut Parts)) -> Vec<u8> {
        let mut out = RlpStream::new_list(if plan.kind == 1 { 8 } else { 9 });
        plan.fields(&mut out);
        if plan.kind == 0 {
            out.append(&plan.chain_id).append(&0u8).append(&0u8);
        }
        let digest = keccak(&plan.wrap(out));
        let (signature, recovery): (Signature, RecoveryId) = self
            .0
            .sign_prehash_recoverable(&digest)
            .expect("a digest of 32 bytes");
        let (r, s) = signature.split_bytes();
        let parity = u64::from(recovery.is_y_odd());
        let v = if plan.kind == 0 {
            plan.chain_id * 2 + 35 + parity
        } else {
            parity
        };
        let mut parts = Parts {
            v,
            r: r.into(),
            s: s.into(),
        };
        spoil(&mut parts);
        let mut out = RlpStream::new_list(match plan.kind {
            0 => 9,
            1 => 11,
            _ => 12,
        });
        plan.fields(&mut out);
        out.append(&parts.v);
        for scalar in [parts.r, parts.s] {
            let first = scalar.iter().position(|byte| *byte != 0).unwrap_or(32);
            out.append(&&scalar[first..]);
        }
        plan.wrap(out)
    }
}

pub struct Parts {
    pub v: u64,
    pub r: [u8; 32],
    pub s: [u8; 32],
}

impl Parts {
    /// The other valid signature of the same digest: s becomes order − s, the parity flips.
    pub fn make_high(&mut self) {
        let mut borrow = 0i16;
        for at in (0..32).rev() {
            let digit = i16::from(ORDER[at]) - i16::from(self.s[at]) - borrow;
            borrow = i16::from(digit < 0);
            self.s[at] = u8::try_from(digit + 256 * borrow).expect("a byte");
        }
        self.v ^= 1;
    }
}
