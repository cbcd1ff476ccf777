/// Record batches in a message: bytes, or a place that someone else's bytes will fill.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Records<'a> {
    /// The batches themselves. Decoding always gives these.
    Bytes(&'a [u8]),
    /// The batches lie elsewhere, in memory or in a file. The writer puts their length into the
    /// message and notes where the sender has to insert them.
    Cut {
        /// How many bytes there are elsewhere.
        bytes: usize,
    },
}

impl<'a> Records<'a> {
    /// No record at all.
    pub const EMPTY: Self = Self::Bytes(&[]);

    /// The number of bytes.
    pub fn len(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::Cut { bytes } => *bytes,
        }
    }

    /// Whether there is no byte.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes of decoded records.
    ///
    /// # Panics
    /// When the records are a cut, which decoding never returns.
    pub fn bytes(&self) -> &'a [u8] {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::Cut { .. } => panic!("a cut has no bytes here"),
        }
    }
}

impl Default for Records<'_> {
    fn default() -> Self {
        Self::EMPTY
    }
}
