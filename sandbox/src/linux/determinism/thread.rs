//! What the layer knows of one thread: its random numbers, its clock, the call that it is in.

use rustix::process::Pid;

use super::calls::Call;
use super::clock::Clock;
use super::{Settings, calls};

pub(super) struct Thread {
    random: Random,
    pub(super) clock: Clock,
    /// How many processes and threads it has started.
    children: u64,
    /// Whether its first stop is still to come.
    pub(super) is_new: bool,
    /// The system call that it is in, if the end of that is waited for.
    pub(super) call: Option<Call>,
}

impl Thread {
    pub(super) fn first(seed: u64) -> Self {
        let clock = Clock::default();
        Self { random: Random(seed), clock, children: 0, is_new: true, call: None }
    }

    /// The next thread that this one starts.
    pub(super) fn child(&mut self) -> Self {
        self.children += 1;
        // Away from the parent's own sequence.
        let mut random = Random(self.random.0 ^ self.children.rotate_left(32));
        random.0 = random.next();
        Self { random, clock: self.clock, children: 0, is_new: true, call: None }
    }

    pub(super) fn fill(&mut self, buffer: &mut [u8]) {
        for chunk in buffer.chunks_mut(8) {
            chunk.copy_from_slice(&self.random.next().to_le_bytes()[..chunk.len()]);
        }
    }

    pub(super) fn enter_call(&mut self, pid: Pid, settings: Settings) -> rustix::io::Result<()> {
        calls::enter(pid, self, settings)
    }

    pub(super) fn leave_call(&mut self, pid: Pid, settings: Settings) -> rustix::io::Result<()> {
        match self.call.take() {
            Some(call) => calls::leave(pid, self, settings, call),
            None => Ok(()),
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

    #[test]
    fn every_thread_has_a_sequence_of_its_own_that_its_descent_decides() {
        let draw = |thread: &mut Thread| {
            let mut bytes = [0; 16];
            thread.fill(&mut bytes);
            bytes
        };
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
        let mut first = Thread::first(7);
        let mut bytes = [0; 3];
        first.fill(&mut bytes);
        assert_eq!(bytes, drawn[1][..3]);
    }
}
