//! Zigzag integers of variable length, as in the records of a batch (KIP-98, after protobuf).
//!
//! Reading takes what Kafka's own reader takes: longer forms than needed, up to 5 bytes for 32 bits
//! and 10 bytes for 64 bits, where bits beyond the integer's width are dropped.

/// The longest forms of 32 and of 64 bits.
pub(super) const I32_BYTES_MAX: usize = 5;
pub(super) const I64_BYTES_MAX: usize = 10;

/// Reads 32 bits at `at` and moves it behind them; `None` when `bytes` end or the form is too long.
#[inline(always)]
pub(super) fn read_i32(bytes: &[u8], at: &mut usize) -> Option<i32> {
    let start = *at;
    let first = *bytes.get(start)?;
    if first < 0x80 {
        *at = start + 1;
        return Some(unzigzag_32(u32::from(first)));
    }
    let second = *bytes.get(start + 1)?;
    if second < 0x80 {
        *at = start + 2;
        return Some(unzigzag_32(u32::from(first & 0x7f) | u32::from(second) << 7));
    }
    read_long_form(bytes, at, I32_BYTES_MAX).map(from_bits_32)
}

/// Reads 64 bits at `at` and moves it behind them; `None` when `bytes` end or the form is too long.
#[inline(always)]
pub(super) fn read_i64(bytes: &[u8], at: &mut usize) -> Option<i64> {
    let start = *at;
    let first = *bytes.get(start)?;
    if first < 0x80 {
        *at = start + 1;
        return Some(from_bits_64(u64::from(first)));
    }
    let second = *bytes.get(start + 1)?;
    if second < 0x80 {
        *at = start + 2;
        return Some(from_bits_64(u64::from(first & 0x7f) | u64::from(second) << 7));
    }
    read_long_form(bytes, at, I64_BYTES_MAX).map(from_bits_64)
}

#[cold]
fn read_long_form(bytes: &[u8], at: &mut usize, bytes_max: usize) -> Option<u64> {
    let mut bits = 0;
    for (index, byte) in bytes[*at..].iter().take(bytes_max).enumerate() {
        // Bits beyond the 64th fall off, as they do in Kafka's reader.
        bits |= u64::from(byte & 0x7f) << (7 * index);
        if *byte < 0x80 {
            *at += index + 1;
            return Some(bits);
        }
    }
    None
}

/// The integer of these bits; those beyond its width are dropped.
#[inline(always)]
pub(super) fn from_bits_32(bits: u64) -> i32 {
    unzigzag_32(bits as u32)
}

#[inline(always)]
fn unzigzag_32(bits: u32) -> i32 {
    (bits >> 1) as i32 ^ -((bits & 1) as i32)
}

/// The integer of these bits.
#[inline(always)]
pub(super) fn from_bits_64(bits: u64) -> i64 {
    (bits >> 1) as i64 ^ -((bits & 1) as i64)
}

/// Appends `value` in the shortest form.
pub(super) fn push(out: &mut Vec<u8>, value: i64) {
    let mut bits = zigzag(value);
    while bits >= 0x80 {
        out.push(bits as u8 | 0x80);
        bits >>= 7;
    }
    out.push(bits as u8);
}

/// The bytes of the shortest form of `value`. 32-bit values have the same form as 64-bit ones.
pub(super) fn len(value: i64) -> usize {
    let bits = (64 - (zigzag(value) | 1).leading_zeros()) as usize;
    bits.div_ceil(7)
}

fn zigzag(value: i64) -> u64 {
    (value << 1) as u64 ^ (value >> 63) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length_reads_back() {
        for shift in 0..63 {
            for value in [1_i64 << shift, (1 << shift) - 1, -(1 << shift), -(1 << shift) - 1] {
                let mut bytes = Vec::new();
                push(&mut bytes, value);
                assert_eq!(bytes.len(), len(value), "{value}");
                let mut at = 0;
                assert_eq!(read_i64(&bytes, &mut at), Some(value));
                assert_eq!(at, bytes.len());
                if let Ok(value) = i32::try_from(value) {
                    assert_eq!(read_i32(&bytes, &mut 0), Some(value));
                }
                for cut in 0..bytes.len() {
                    assert_eq!(read_i64(&bytes[..cut], &mut 0), None);
                    assert_eq!(read_i32(&bytes[..cut], &mut 0), None);
                }
            }
        }
        for value in [i64::MIN, i64::MAX] {
            let mut bytes = Vec::new();
            push(&mut bytes, value);
            assert_eq!((bytes.len(), read_i64(&bytes, &mut 0)), (10, Some(value)));
        }
    }

    #[test]
    fn padded_forms_are_read_up_to_the_integers_width_only() {
        assert_eq!(read_i32(&[0x82, 0x80, 0x80, 0x80, 0x00], &mut 0), Some(1));
        assert_eq!(read_i32(&[0x82, 0x80, 0x80, 0x80, 0x70], &mut 0), Some(1));
        assert_eq!(read_i32(&[0x82, 0x80, 0x80, 0x80, 0x80, 0x00], &mut 0), None);
        let mut padded = [0x80; 11];
        padded[9] = 0;
        assert_eq!(read_i64(&padded[..10], &mut 0), Some(0));
        padded[9] = 0x80;
        padded[10] = 0;
        assert_eq!(read_i64(&padded, &mut 0), None);
    }
}
