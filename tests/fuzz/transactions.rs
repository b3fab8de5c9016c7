//! What a chain hands back as bytes: signed transactions, addresses, reasons of reverts, answers of tokens, kept blocks.

use vaultstream_chain_evm::head_ring::HeadRing;
use vaultstream_chain_evm::{
    assemble, checksummed, decode, erc20, parse_address, parse_destination, revert, txid,
};

use crate::harness::{Target, holds};

#[test]
fn transactions_should_be_read_or_refused() {
    Target::new("transactions").fuzz(|bytes| {
        let text = String::from_utf8_lossy(bytes);
        if let Ok(read) = decode(&text) {
            let id = txid(&text).map_err(|e| format!("read and without an id: {e}"))?;
            holds!(id == read.txid, "it has two ids");
            holds!(assemble(&read.plan, &[0; 65]).is_err(), "nobody signed it");
        }
        if let Ok(address) = parse_address(&text) {
            holds!(
                parse_address(&checksummed(&address)) == Ok(address),
                "its own text is another address"
            );
        }
        let _ = parse_destination(&text);
        let reason = revert::reason(bytes);
        holds!(
            !reason.is_empty() && reason.chars().count() <= 600,
            "a reason of {} characters",
            reason.chars().count()
        );
        let _ = erc20::read_balance(bytes);
        if let Ok(ring) = HeadRing::from_bytes(bytes) {
            let again = HeadRing::from_bytes(&ring.to_bytes());
            holds!(
                again.is_ok_and(|again| again.to_bytes() == ring.to_bytes()),
                "another ring"
            );
        }
        Ok(())
    });
}
