//! Decides when a fault strikes, and counts how often it did.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::dice::Dice;

/// The switch of one fault.
#[derive(Debug)]
pub(crate) struct Tap {
    seed: usize,
    is_on: AtomicBool,
    chances: AtomicUsize,
    strikes: AtomicUsize,
}

impl Tap {
    /// Makes a tap that is on.
    pub(crate) fn new(seed: usize) -> Self {
        let (chances, strikes) = Default::default();
        Self { seed, is_on: AtomicBool::new(true), chances, strikes }
    }

    /// Asks whether the fault strikes here. Each seed leaves out another number of chances at first, and the later ones
    /// leave out every second one after that, so that what is tried again succeeds. If it strikes, the dice say how.
    pub(crate) fn strikes(&self) -> Option<Dice> {
        if !self.is_on() {
            return None;
        }
        let chance = self.chances.fetch_add(1, Ordering::Relaxed);
        let (skipped, stride) = (self.seed % 3, 1 + self.seed / 3);
        if chance < skipped || !(chance - skipped).is_multiple_of(stride) {
            return None;
        }
        self.strikes.fetch_add(1, Ordering::Relaxed);
        Some(self.dice(chance))
    }

    /// Returns dice that depend on the seed and on `what`.
    pub(crate) fn dice(&self, what: usize) -> Dice {
        Dice::new((self.seed * 10_007 + what) as u64)
    }

    pub(crate) fn seed(&self) -> usize {
        self.seed
    }

    pub(crate) fn is_on(&self) -> bool {
        self.is_on.load(Ordering::Relaxed)
    }

    pub(crate) fn turn_off(&self) {
        self.is_on.store(false, Ordering::Relaxed);
    }

    /// Notes a strike that needed no decision.
    pub(crate) fn struck(&self) {
        self.strikes.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count(&self) -> usize {
        self.strikes.load(Ordering::Relaxed)
    }
}
