//! What the WAL asked for, packed into the token of a disk request.

/// The step that a request belongs to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(super) enum TokenKind {
    CreateDirectory,
    SyncParent,
    OpenToZero,
    Zero,
    SyncZeros,
    SyncName,
    OpenToCommit,
    Abandoned,
    Commit,
}

const KINDS: [TokenKind; 9] = [
    TokenKind::CreateDirectory,
    TokenKind::SyncParent,
    TokenKind::OpenToZero,
    TokenKind::Zero,
    TokenKind::SyncZeros,
    TokenKind::SyncName,
    TokenKind::OpenToCommit,
    TokenKind::Abandoned,
    TokenKind::Commit,
];

/// A step and the file slot that it concerns.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Token(u32);

impl Token {
    pub(super) fn new(kind: TokenKind, slot: u32) -> Self {
        assert!(slot < 1 << 24);
        Self(u32::from(kind as u8) << 24 | slot)
    }

    pub(super) fn from_number(number: u32) -> Self {
        Self(number)
    }

    pub(super) fn get(self) -> u32 {
        self.0
    }

    pub(super) fn kind(self) -> TokenKind {
        KINDS[(self.0 >> 24) as usize]
    }
}
