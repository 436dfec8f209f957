//! Random numbers that follow from a seed.

use std::convert::Infallible;

use rand::TryRng;

/// The generator SplitMix64 (Steele, Lea and Flood, 2014). It is small, and its numbers are the same on every machine and
/// with every version of a library. They are no secret.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seeded(pub(crate) u64);

impl Seeded {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

impl TryRng for Seeded {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        // The upper half; the shift leaves nothing that a conversion could lose.
        Ok(u32::try_from(self.next() >> 32).unwrap_or(u32::MAX))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(self.next())
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        for chunk in bytes.chunks_mut(8) {
            chunk.copy_from_slice(&self.next().to_le_bytes()[..chunk.len()]);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_those_of_the_paper() {
        // The first values of the reference implementation for the seed 1234567.
        let mut numbers = Seeded(1_234_567);
        assert_eq!(numbers.next(), 6_457_827_717_110_365_317);
        assert_eq!(numbers.next(), 3_203_168_211_198_807_973);
        let (mut bytes, mut again) = ([0; 11], [0; 11]);
        let Ok(()) = Seeded(7).try_fill_bytes(&mut bytes);
        let Ok(()) = Seeded(7).try_fill_bytes(&mut again);
        assert_eq!(bytes, again);
    }
}
