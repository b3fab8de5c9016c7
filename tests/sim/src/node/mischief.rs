//! What can happen to a broadcast.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use crate::dice::Dice;

/// What happens to one broadcast.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mischief {
    /// It arrives and is answered truly.
    None,
    /// It never arrives, and nothing is heard.
    LostOnTheWay,
    /// It arrives, and nothing is heard.
    Unheard,
    /// Nothing is heard, and it arrives so many milliseconds later.
    Late(u64),
    /// It arrives, and the node says one of [`WORDS`] all the same.
    TakenButSays(usize),
    /// It does not arrive, and the node says one of [`WORDS`].
    SaysOnly(usize),
}

/// Words of nodes, of every class that the classifier knows, and some that it does not.
pub const WORDS: [&str; 12] = [
    "already known",
    "nonce too low: next nonce 7, tx nonce 3",
    "replacement transaction underpriced",
    "address already reserved",
    "nonce too high",
    "in-flight transaction limit reached for delegated accounts",
    "transaction underpriced: tip needed 1, tip permitted 0",
    "max fee per gas less than block base fee",
    "insufficient funds for gas * price + value",
    "txpool is full",
    "502 Bad Gateway",
    "upstream connect error or disconnect before headers",
];

impl Mischief {
    /// One that the seed picks.
    pub fn drawn(dice: &mut Dice) -> Self {
        let word = |dice: &mut Dice| usize::try_from(dice.below(WORDS.len() as u64)).unwrap_or(0);
        match dice.below(5) {
            0 => Self::LostOnTheWay,
            1 => Self::Unheard,
            2 => Self::Late(dice.between(100, 8_000)),
            3 => Self::TakenButSays(word(dice)),
            _ => Self::SaysOnly(word(dice)),
        }
    }
}

/// What happens to the next broadcasts, in order.
#[derive(Debug, Clone, Default)]
pub struct Script(Arc<Mutex<VecDeque<Mischief>>>);

impl Script {
    /// A script of these.
    pub fn of(mischiefs: &[Mischief]) -> Self {
        Self(Arc::new(Mutex::new(mischiefs.iter().copied().collect())))
    }

    pub(crate) fn next(&self) -> Option<Mischief> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }
}
