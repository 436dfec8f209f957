//! What the layer knows of one thread: its random numbers and its clock.

use super::clock::Clock;
use super::folders::Process;
use super::vdso::Clocks;

pub(in crate::linux) struct Thread {
    /// What the random numbers of its process come from.
    seed: u64,
    random: Random,
    pub(super) clock: Clock,
    /// Where its program looks for the time.
    pub(super) clocks: Option<Clocks>,
    /// How many processes it has started.
    children: u64,
    /// The process that it belongs to, once that was asked for; nothing if it could not be found.
    pub(super) process: Option<Option<Process>>,
}

impl Thread {
    /// The first thread of a process.
    pub(super) fn first(seed: u64) -> Self {
        Self {
            seed,
            random: Random(seed),
            clock: Clock::default(),
            clocks: None,
            children: 0,
            process: None,
        }
    }

    /// Another thread of its process. All that are started have the same numbers to come: which of
    /// several workers is given a task depends on the moment, and must make no difference.
    pub(in crate::linux) fn another(&self) -> Self {
        let worker = Random(self.seed ^ u64::from_be_bytes(*b"a thread")).next();
        Self { random: Random(worker), clocks: self.clocks, ..Self::first(self.seed) }
    }

    /// The first thread of the next process that this one starts.
    pub(in crate::linux) fn child(&mut self) -> Self {
        self.children += 1;
        let seed = Random(self.seed ^ self.children.rotate_left(32)).next();
        Self { clock: self.clock, clocks: self.clocks, ..Self::first(seed) }
    }

    pub(super) fn fill(&mut self, buffer: &mut [u8]) {
        for chunk in buffer.chunks_mut(8) {
            chunk.copy_from_slice(&self.random.next().to_le_bytes()[..chunk.len()]);
        }
    }
}

/// SplitMix64: as good as is needed where nothing is secret, and four lines.
#[derive(Clone, Copy)]
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sequence_is_splitmix64() {
        // The first numbers of the reference implementation for the seed 1234567.
        let mut random = Random(1_234_567);
        let numbers = [random.next(), random.next(), random.next()];
        assert_eq!(
            numbers,
            [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]
        );
    }

    fn draw(thread: &mut Thread) -> [u8; 16] {
        let mut bytes = [0; 16];
        thread.fill(&mut bytes);
        bytes
    }

    #[test]
    fn every_process_has_a_sequence_of_its_own_that_its_descent_decides() {
        let family = |seed| {
            let mut first = Thread::first(seed);
            let mut second = first.child();
            let mut third = first.child();
            let mut fourth = second.child();
            // Whoever asks first.
            [&mut fourth, &mut first, &mut third, &mut second].map(draw)
        };
        let drawn = family(7);
        assert_eq!(drawn, family(7));
        assert_ne!(drawn, family(8));
        for (index, bytes) in drawn.iter().enumerate() {
            assert!(!drawn[..index].contains(bytes), "{index}");
        }
        let mut bytes = [0; 3];
        Thread::first(7).fill(&mut bytes);
        assert_eq!(bytes, drawn[1][..3]);
    }

    #[test]
    fn it_makes_no_difference_which_worker_is_given_a_task() {
        let mut first = Thread::first(7);
        let (mut one, mut other) = (first.another(), first.another());
        let drawn = draw(&mut one);
        assert_ne!(draw(&mut first), drawn);
        assert_eq!(draw(&mut other), drawn);
        let [mut one, mut other] = [&mut one, &mut other].map(Thread::child);
        assert_eq!(draw(&mut one), draw(&mut other));
    }
}
