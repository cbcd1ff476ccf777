use core::fmt;
use core::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// 128 bits that name a topic, cluster or log directory; printed as 22 characters of base64url.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Uuid([u8; 16]);

impl Uuid {
    /// All bits zero: "no id" on the wire.
    pub const ZERO: Self = Self([0; 16]);

    /// An id from its 16 bytes in network order.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The 16 bytes in network order.
    pub const fn bytes(self) -> [u8; 16] {
        self.0
    }

    /// The id from two words, the high one first: how our own formats keep it.
    pub const fn from_halves(high: u64, low: u64) -> Self {
        Self((((high as u128) << 64) | low as u128).to_be_bytes())
    }

    /// The two words of [`Uuid::from_halves`].
    pub const fn halves(self) -> (u64, u64) {
        let word = u128::from_be_bytes(self.0);
        ((word >> 64) as u64, word as u64)
    }

    /// A random id (RFC 9562, version 4) from two random words. Kafka never hands out an id that
    /// prints with a leading dash, since its tools take that for an option: nor does this.
    pub fn from_random(mut next: impl FnMut() -> u64) -> Self {
        loop {
            let mut bytes = [0; 16];
            bytes[..8].copy_from_slice(&next().to_be_bytes());
            bytes[8..].copy_from_slice(&next().to_be_bytes());
            bytes[6] = (bytes[6] & 0x0f) | 0x40;
            bytes[8] = (bytes[8] & 0x3f) | 0x80;
            // The first character is the top six bits; 62 is the dash.
            if bytes[0] >> 2 != 62 {
                return Self(bytes);
            }
        }
    }
}

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl fmt::Debug for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Uuid({self})")
    }
}

/// The text is not 22 characters of base64url.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ParseUuidError;

impl FromStr for Uuid {
    type Err = ParseUuidError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let decoded = URL_SAFE_NO_PAD.decode(text).map_err(|_| ParseUuidError)?;
        Ok(Self(decoded.try_into().map_err(|_| ParseUuidError)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_as_22_characters_and_parses_back() {
        let id = Uuid::from_bytes([0xfb; 16]);
        assert_eq!(id.to_string().len(), 22);
        assert_eq!(id.to_string().parse(), Ok(id));
        let (high, low) = id.halves();
        assert_eq!(Uuid::from_halves(high, low), id);
        assert_eq!("short".parse::<Uuid>(), Err(ParseUuidError));
    }

    #[test]
    fn random_ids_never_start_with_a_dash() {
        let mut words = [0xf8 << 56, 1, 2, 3].into_iter();
        let id = Uuid::from_random(|| words.next().unwrap());
        assert_eq!(id.bytes()[7], 2);
    }
}
