//! Names: ids, chains, assets, amounts, moments, actors and references, each of one form only.

use std::fmt::{Debug, Display};
use std::str::FromStr;

use vaultstream_event_schemas::checkpoint::CheckpointRef;
use vaultstream_event_schemas::{
    AccountId, Actor, Amount, AssetId, ChainId, CommandId, EventRef, Grounds, Slug, StreamId, Timestamp,
    TransferStatus, VaultId,
};

use crate::harness::{Target, Verdict, holds};

/// What is written is read as the same, and a refusal is short. Answers what was read.
pub fn again<T>(text: &str) -> Result<Option<T>, String>
where
    T: FromStr + Display + PartialEq + Debug,
    T::Err: Display,
{
    match text.parse::<T>() {
        Ok(value) => {
            let written = value.to_string();
            let read = written.parse::<T>();
            holds!(
                read.as_ref().is_ok_and(|read| *read == value),
                "{text:?} is written as {written:?}, which is another"
            );
            Ok(Some(value))
        }
        Err(error) => {
            let words = error.to_string();
            holds!(
                !words.is_empty() && words.len() < 1_000,
                "{} bytes of refusal",
                words.len()
            );
            Ok(None)
        }
    }
}

/// As [`again`], and a value has one text.
fn one_text<T>(text: &str) -> Verdict
where
    T: FromStr + Display + PartialEq + Debug,
    T::Err: Display,
{
    if let Some(value) = again::<T>(text)? {
        holds!(value.to_string() == text, "{text:?} is another text of {value}");
    }
    Ok(())
}

#[test]
fn names_should_be_read_or_refused() {
    Target::new("names").fuzz(|bytes| {
        let text = String::from_utf8_lossy(bytes);
        let text = text.as_ref();
        one_text::<StreamId>(text)?;
        one_text::<VaultId>(text)?;
        one_text::<AccountId>(text)?;
        one_text::<CommandId>(text)?;
        one_text::<ChainId>(text)?;
        one_text::<AssetId>(text)?;
        one_text::<Slug>(text)?;
        one_text::<Amount>(text)?;
        one_text::<Actor>(text)?;
        one_text::<EventRef>(text)?;
        one_text::<CheckpointRef>(text)?;
        one_text::<Grounds>(text)?;
        one_text::<TransferStatus>(text)?;
        again::<Timestamp>(text)?;
        for decimals in [0, 6, 18, 77, 255] {
            if let Ok(amount) = Amount::from_decimal(text, decimals) {
                let written = amount.to_decimal(decimals);
                let read = Amount::from_decimal(&written, decimals);
                holds!(
                    read == Ok(amount),
                    "{text:?} with {decimals} places is written as {written:?}"
                );
            }
        }
        Ok(())
    });
}
