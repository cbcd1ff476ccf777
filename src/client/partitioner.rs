//! Which partition a record goes to: Kafka's rules.

use crate::prng::Prng;

/// Chooses partitions: by key as Kafka's clients do, so that all of them agree; without a key one
/// at random for as long as a batch lasts (KIP-480).
#[derive(Debug)]
pub struct Partitioner {
    partitions: u32,
    sticky: u32,
    prng: Prng,
}

impl Partitioner {
    /// A partitioner over so many partitions.
    ///
    /// # Panics
    /// When there are none.
    pub fn new(partitions: usize, seed: u64) -> Self {
        let partitions = u32::try_from(partitions).expect("partitions are counted in 31 bits");
        assert!(partitions > 0, "a topic has partitions");
        let mut partitioner = Self { partitions, sticky: 0, prng: Prng::new(seed) };
        partitioner.batch_ended();
        partitioner
    }

    /// The place of a record's partition among all partitions.
    pub fn place(&self, key: Option<&[u8]>) -> usize {
        let place = match key {
            Some(key) => (murmur2(key) & 0x7fff_ffff) % self.partitions,
            None => self.sticky,
        };
        place as usize
    }

    /// Records without a key go elsewhere from now on.
    pub fn batch_ended(&mut self) {
        let choices = u64::from(self.partitions);
        // At most as many as there are partitions.
        self.sticky = self.prng.below(choices) as u32;
    }
}

/// MurmurHash2 with Kafka's seed.
pub fn murmur2(bytes: &[u8]) -> u32 {
    const SEED: u32 = 0x9747_b28c;
    const FACTOR: u32 = 0x5bd1_e995;
    const SHIFT: u32 = 24;
    // Only the low bits of the length count, as in Java.
    let mut hash = SEED ^ bytes.len() as u32;
    let mut words = bytes.chunks_exact(4);
    for word in &mut words {
        let mut word = u32::from_le_bytes(word.try_into().expect("four bytes"));
        word = word.wrapping_mul(FACTOR);
        word ^= word >> SHIFT;
        hash = hash.wrapping_mul(FACTOR) ^ word.wrapping_mul(FACTOR);
    }
    let rest = words.remainder();
    for (at, byte) in rest.iter().enumerate() {
        hash ^= u32::from(*byte) << (8 * at);
    }
    if !rest.is_empty() {
        hash = hash.wrapping_mul(FACTOR);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(FACTOR);
    hash ^ (hash >> 15)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_as_kafka_does() {
        // From Kafka's UtilsTest.testMurmur2.
        let cases: [(&str, i32); 7] = [
            ("21", -973_932_308),
            ("foobar", -790_332_482),
            ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
            ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
            ("abc", 479_470_107),
            ("", 275_646_681),
        ];
        for (key, hash) in cases {
            assert_eq!(murmur2(key.as_bytes()) as i32, hash, "{key}");
        }
    }

    #[test]
    fn a_key_always_goes_to_one_partition_and_no_key_stays_for_a_batch() {
        let mut partitioner = Partitioner::new(7, 1);
        let key = Some(&b"21"[..]);
        assert_eq!(partitioner.place(key), ((-973_932_308i32 & 0x7fff_ffff) % 7) as usize);
        let mut seen = [false; 7];
        for _ in 0..200 {
            let place = partitioner.place(None);
            assert_eq!(place, partitioner.place(None));
            seen[place] = true;
            partitioner.batch_ended();
        }
        assert_eq!(seen, [true; 7]);
    }
}
