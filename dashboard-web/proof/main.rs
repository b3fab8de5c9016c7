//! The page that checks an inclusion proof: `proof.html`, its script, and this module, fetched only by who opens it.
//!
//! Nothing is sent anywhere: file and keys stay in the browser. It has no part of the dashboard in it, which stays as small
//! as it was. Refuses: what `vaultstream audit check-proof` refuses, by the same code.

mod check;

use wasm_bindgen::prelude::wasm_bindgen;

fn main() {}

/// What a proof is worth to who believes these keys: lines of text, the first `holds`, `fails` or `unclear`.
#[wasm_bindgen]
#[must_use]
pub fn check(proof: &str, keys: &str) -> String {
    check::lines(proof, keys).join("\n")
}
