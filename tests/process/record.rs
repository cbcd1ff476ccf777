//! Records that say who wrote them and whether they are whole.

use millstream::record::crc32c;

/// Writer, number, partition, checksum.
const HEAD_BYTES: usize = 4 + 8 + 4 + 4;

/// Which record it is: who wrote it, and the how many-th of that writer in its partition.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Identity {
    pub client: u32,
    pub number: u64,
}

impl Identity {
    /// A record's value of this identity.
    pub fn encode(self, partition: i32, filler_bytes: usize) -> Vec<u8> {
        let mut value = Vec::with_capacity(HEAD_BYTES + filler_bytes);
        value.extend_from_slice(&self.client.to_be_bytes());
        value.extend_from_slice(&self.number.to_be_bytes());
        value.extend_from_slice(&partition.to_be_bytes());
        value.extend_from_slice(&[0; 4]);
        value.extend((0..filler_bytes).map(|index| (index as u64 * 31 + self.number) as u8));
        let checksum = crc32c(&value);
        value[HEAD_BYTES - 4..HEAD_BYTES].copy_from_slice(&checksum.to_be_bytes());
        value
    }

    /// The identity in a record's value.
    pub fn decode(value: &[u8], partition: i32) -> Result<Self, String> {
        let (head, _) = value.split_first_chunk::<HEAD_BYTES>().ok_or("a record without head")?;
        let mut clean = value.to_vec();
        clean[HEAD_BYTES - 4..HEAD_BYTES].fill(0);
        let stored = u32::from_be_bytes(head[16..20].try_into().expect("4 bytes"));
        if crc32c(&clean) != stored {
            return Err("a record's checksum does not hold".to_owned());
        }
        let home = i32::from_be_bytes(head[12..16].try_into().expect("4 bytes"));
        if home != partition {
            return Err(format!("a record of partition {home} stands in {partition}"));
        }
        Ok(Self {
            client: u32::from_be_bytes(head[..4].try_into().expect("4 bytes")),
            number: u64::from_be_bytes(head[4..12].try_into().expect("8 bytes")),
        })
    }
}
