use std::fmt;

/// An inclusive range of versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Versions {
    pub first: i16,
    pub last: i16,
}

impl Versions {
    /// The end of a range such as `5+`.
    pub const OPEN: i16 = i16::MAX;

    pub const ALL: Self = Self { first: 0, last: Self::OPEN };

    /// Reads `5+`, `0-12` or `3`.
    pub fn parse(word: &str) -> Option<Self> {
        let number = |text: &str| -> Option<i16> {
            text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
        };
        let range = if let Some(first) = word.strip_suffix('+') {
            Self { first: number(first)?, last: Self::OPEN }
        } else if let Some((first, last)) = word.split_once('-') {
            Self { first: number(first)?, last: number(last)? }
        } else {
            Self { first: number(word)?, last: number(word)? }
        };
        (range.first <= range.last).then_some(range)
    }

    pub fn contains(self, version: i16) -> bool {
        (self.first..=self.last).contains(&version)
    }

    /// The versions in both, none when they do not meet.
    pub fn intersection(self, other: Self) -> Option<Self> {
        let both = Self { first: self.first.max(other.first), last: self.last.min(other.last) };
        (both.first <= both.last).then_some(both)
    }

    /// The smallest range around both.
    pub fn hull(self, other: Self) -> Self {
        Self { first: self.first.min(other.first), last: self.last.max(other.last) }
    }
}

impl fmt::Display for Versions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self { first, last: Self::OPEN } => write!(f, "{first}+"),
            Self { first, last } if first == last => write!(f, "{first}"),
            Self { first, last } => write!(f, "{first}-{last}"),
        }
    }
}
