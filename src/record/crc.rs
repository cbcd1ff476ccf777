//! CRC-32C (Castagnoli, RFC 3720 appendix B.4): the checksum of record batches and of the WAL.

/// Castagnoli's polynomial with its bits reflected, as the checksum's bits are.
const POLYNOMIAL: u32 = 0x82f6_3b78;

/// `POWERS[i][n]` is x to the power of 8 * n * 256^i modulo the polynomial: multiplying by it is
/// the same as appending n * 256^i zero bytes.
static POWERS: [[u32; 256]; 4] = powers();

/// The CRC-32C of `bytes`.
#[inline]
pub fn crc32c(bytes: &[u8]) -> u32 {
    ::crc32c::crc32c(bytes)
}

/// The CRC-32C of bytes that arrive in pieces.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Crc32c(u32);

impl Crc32c {
    /// The checksum of nothing.
    pub const fn new() -> Self {
        Self(0)
    }

    /// Goes on with `bytes`.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0 = ::crc32c::crc32c_append(self.0, bytes);
    }

    /// The checksum of all bytes so far.
    pub const fn value(self) -> u32 {
        self.0
    }
}

/// The checksum that a message has after its first bytes were exchanged, without reading the rest:
/// `whole` is the checksum so far, `old` and `new` are those of the first bytes before and after,
/// equally many, and `behind` counts the unchanged bytes that follow.
///
/// The rest keeps the protection it came with: if it was damaged in memory since `whole` was
/// verified, the new checksum does not match it either, which computing it afresh would hide.
pub fn crc32c_with_new_start(whole: u32, old: u32, new: u32, behind: u32) -> u32 {
    let mut difference = old ^ new;
    for (power, count) in POWERS.iter().zip(behind.to_le_bytes()) {
        if count != 0 {
            difference = multiply(difference, power[usize::from(count)]);
        }
    }
    whole ^ difference
}

/// The product of two polynomials modulo Castagnoli's; the highest bit is the power 0. Without
/// branches, since its bits are as good as random.
const fn multiply(mut a: u32, mut b: u32) -> u32 {
    let mut product = 0;
    let mut bit = 0;
    while bit < 32 {
        product ^= b & (a >> 31).wrapping_neg();
        a <<= 1;
        b = (b >> 1) ^ (POLYNOMIAL & (b & 1).wrapping_neg());
        bit += 1;
    }
    product
}

const fn powers() -> [[u32; 256]; 4] {
    let mut powers = [[1 << 31; 256]; 4];
    // x to the power of 8.
    let mut step = 1 << 23;
    let mut i = 0;
    while i < 4 {
        let mut n = 1;
        while n < 256 {
            powers[i][n] = multiply(powers[i][n - 1], step);
            n += 1;
        }
        step = multiply(powers[i][255], step);
        i += 1;
    }
    powers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_the_published_check_value() {
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
        let mut pieces = Crc32c::new();
        pieces.update(b"1234");
        pieces.update(b"");
        pieces.update(b"56789");
        assert_eq!(pieces.value(), 0xe306_9283);
    }

    proptest::proptest! {
        #[test]
        fn a_new_start_gives_what_computing_afresh_gives(
            old in proptest::collection::vec(proptest::num::u8::ANY, 0..64),
            rest in proptest::collection::vec(proptest::num::u8::ANY, 0..3000),
            repeat in 1_usize..40,
        ) {
            let rest = rest.repeat(repeat);
            let new: Vec<u8> = old.iter().map(|byte| byte.wrapping_mul(3) ^ 5).collect();
            let patched = crc32c_with_new_start(
                crc32c(&[&old[..], &rest].concat()),
                crc32c(&old),
                crc32c(&new),
                u32::try_from(rest.len()).unwrap(),
            );
            proptest::prop_assert_eq!(patched, crc32c(&[&new[..], &rest].concat()));
        }
    }
}
