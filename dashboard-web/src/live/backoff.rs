//! When to try again: full jitter, so that a restarted server does not meet all its browsers at once.

const FIRST_MS: u64 = 400;
const MOST_MS: u64 = 15_000;

/// How long to wait before attempt `attempt` (from 0), given a random number.
pub fn wait_ms(attempt: u32, random: u32) -> u64 {
    let most = FIRST_MS.saturating_mul(1 << attempt.min(6)).min(MOST_MS);
    let least = most / 4;
    least + u64::from(random) * (most - least) / u64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_should_grow_and_stay_below_the_most() {
        assert_eq!(wait_ms(0, 0), 100);
        assert_eq!(wait_ms(0, u32::MAX), 400);
        assert_eq!(wait_ms(3, u32::MAX), 3_200);
        for attempt in [6, 7, 40, u32::MAX] {
            assert_eq!(wait_ms(attempt, u32::MAX), MOST_MS);
            assert_eq!(wait_ms(attempt, 0), MOST_MS / 4, "never at once");
        }
    }

    #[test]
    fn waits_should_be_spread() {
        let spread: Vec<u64> = (0..4).map(|i| wait_ms(4, i * (u32::MAX / 4))).collect();
        assert!(spread.windows(2).all(|w| w[1] > w[0] + 500), "{spread:?}");
    }
}
