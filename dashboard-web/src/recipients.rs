//! Whether a recipient is known, new, or looks like a known one without being it (address poisoning).

/// An address that was paid before or is one's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// The address in its chain's checked form.
    pub address: String,
    /// The vault, when it is one's own.
    pub own: Option<String>,
}

/// What is known of a recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recipient {
    /// One's own vault, by name.
    Own(String),
    /// Paid before.
    Known,
    /// Never seen.
    First,
    /// Never seen, and easily mistaken for this known one.
    LookAlike(String),
}

impl Recipient {
    /// Whether a person must compare the address before money may move.
    pub const fn needs_comparison(&self) -> bool {
        matches!(self, Self::First | Self::LookAlike(_))
    }
}

/// How many characters at either end people look at.
const LOOKED_AT: usize = 4;

/// Judges an address against the known ones.
pub fn judge(address: &str, known: &[Known]) -> Recipient {
    let same = |other: &&Known| other.address.eq_ignore_ascii_case(address);
    if let Some(own) = known.iter().filter(same).find_map(|k| k.own.clone()) {
        return Recipient::Own(own);
    }
    if known.iter().any(|k| same(&k)) {
        return Recipient::Known;
    }
    match known.iter().find(|k| alike(&k.address, address)) {
        Some(other) => Recipient::LookAlike(other.address.clone()),
        None => Recipient::First,
    }
}

/// Whether both ends are the same to a hurried eye.
fn alike(a: &str, b: &str) -> bool {
    let ends = |text: &str| {
        let body: Vec<char> = text
            .trim_start_matches("0x")
            .to_ascii_lowercase()
            .chars()
            .collect();
        let head: String = body.iter().take(LOOKED_AT).collect();
        let tail: String = body.iter().rev().take(LOOKED_AT).collect();
        (head, tail)
    };
    ends(a) == ends(b)
}

/// The characters of `address`, each with whether it differs from `other` at the same place.
pub fn differences(address: &str, other: &str) -> Vec<(char, bool)> {
    let mut theirs = other.chars();
    address
        .chars()
        .map(|c| (c, !theirs.next().is_some_and(|t| t.eq_ignore_ascii_case(&c))))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALICE: &str = "0x52908400098527886E0F7030069857D2E4169EE7";
    const POISON: &str = "0x52908400098527886E0F7030069857D2E4160EE7";
    const FAR: &str = "0x8617E340B3D01FA5F11F306F4090FD50E238070D";

    fn known(address: &str, own: Option<&str>) -> Known {
        Known {
            address: address.into(),
            own: own.map(Into::into),
        }
    }

    #[test]
    fn recipients_should_be_told_apart() {
        let book = [known(ALICE, None), known(FAR, Some("Treasury"))];
        assert_eq!(judge(ALICE, &book), Recipient::Known);
        assert_eq!(judge(&ALICE.to_lowercase(), &book), Recipient::Known);
        assert_eq!(judge(FAR, &book), Recipient::Own("Treasury".into()));
        assert_eq!(judge(FAR, &book[..1]), Recipient::First);
        let alike = "0x5290000000000000000000000000000000009EE7";
        assert_eq!(judge(alike, &book), Recipient::LookAlike(ALICE.into()));
        assert_eq!(judge(POISON, &book), Recipient::First, "its last four differ");
    }

    #[test]
    fn strangers_should_be_compared_before_money_moves() {
        assert!(Recipient::First.needs_comparison());
        assert!(Recipient::LookAlike(ALICE.into()).needs_comparison());
        assert!(!Recipient::Known.needs_comparison());
        assert!(!Recipient::Own("x".into()).needs_comparison());
    }

    #[test]
    fn differing_characters_should_be_marked() {
        let marked: String = differences(POISON, ALICE)
            .into_iter()
            .filter(|(_, d)| *d)
            .map(|(c, _)| c)
            .collect();
        assert_eq!(marked, "0");
        assert!(
            differences("ab", "a").last().is_some_and(|(_, d)| *d),
            "longer means different"
        );
        assert!(differences("A", "a").iter().all(|(_, d)| !d));
    }
}
