//! Identifiers in the vendors' shapes, from a small seeded generator: cheap under load and repeatable when a test asks.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};

#[derive(Debug)]
pub(crate) struct Ids {
    state: AtomicU64,
}

impl Ids {
    pub(crate) fn seeded(seed: u64) -> Self {
        Self {
            state: AtomicU64::new(seed),
        }
    }

    /// SplitMix64: each call moves the state by a fixed odd step, so threads never see the same number twice.
    pub(crate) fn number(&self) -> u64 {
        const STEP: u64 = 0x9E37_79B9_7F4A_7C15;
        let mut z = self
            .state
            .fetch_add(STEP, Ordering::Relaxed)
            .wrapping_add(STEP);
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Hexadecimal text of `words` times sixteen digits.
    pub(crate) fn hex(&self, words: usize) -> String {
        let mut text = String::with_capacity(words * 16);
        for _ in 0..words {
            // Writing to a String cannot fail.
            write!(text, "{:016x}", self.number()).ok();
        }
        text
    }

    /// A decimal number of at most `digits` digits that never starts with zero.
    pub(crate) fn decimal(&self, digits: u32) -> String {
        let top = 10_u64.saturating_pow(digits.min(18));
        let floor = top / 10;
        (floor + self.number() % (top - floor)).to_string()
    }

    /// A version 4 looking UUID.
    pub(crate) fn uuid(&self) -> String {
        let (high, low) = (self.number(), self.number());
        format!(
            "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
            high >> 32,
            (high >> 16) & 0xffff,
            high & 0x0fff,
            0x8000 | ((low >> 48) & 0x3fff),
            low & 0xffff_ffff_ffff
        )
    }
}
