//! What a log asked for, packed into the token of a disk request.

/// The step that a request belongs to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(super) enum Step {
    /// Create the partition's directory.
    CreateDirectory,
    /// Open a segment for writing.
    Open,
    /// Cut what may not be believed.
    Cut,
    /// Reserve space.
    Reserve,
    /// Write blocks.
    Write,
    /// Make blocks durable.
    Sync,
    /// Cut a complete segment to its exact length.
    Finish,
    /// Write an index or a snapshot.
    WriteFile,
    /// Make a partition's names durable.
    SyncNames,
    /// Make the partition's own name durable.
    SyncParent,
    /// Save a part of the active segment's indexes.
    SaveIndex,
    /// Load something for a reader.
    Load,
    /// Remove a file of a segment before the log start.
    Remove,
}

const STEPS: [Step; 13] = [
    Step::CreateDirectory,
    Step::Open,
    Step::Cut,
    Step::Reserve,
    Step::Write,
    Step::Sync,
    Step::Finish,
    Step::WriteFile,
    Step::SyncNames,
    Step::SyncParent,
    Step::SaveIndex,
    Step::Load,
    Step::Remove,
];

/// A step, the segment writer it concerns, and a number of its own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Token {
    pub(super) step: Step,
    /// Counts the segments of one log; 12 bits are far more than exist at one time.
    pub(super) serial: u16,
    /// Tells requests of one step apart.
    pub(super) number: u16,
}

impl Token {
    pub(super) const NUMBER_MAX: u16 = 0xfff;
    pub(super) const SERIAL_MAX: u16 = 0xfff;

    pub(super) fn encode(self) -> u32 {
        assert!(self.number <= Self::NUMBER_MAX && self.serial <= Self::SERIAL_MAX);
        (u32::from(self.step as u8) << 24) | (u32::from(self.serial) << 12) | u32::from(self.number)
    }

    pub(super) fn decode(token: u32) -> Self {
        let step = STEPS[(token >> 24) as usize];
        let serial = (token >> 12) as u16 & Self::SERIAL_MAX;
        Self { step, serial, number: token as u16 & Self::NUMBER_MAX }
    }
}
