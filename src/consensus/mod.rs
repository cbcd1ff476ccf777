//! Our use of consensus. With a single voter an entry is decided once it is on this disk; a cluster
//! of several will put raft behind the same words: propose, persisted, decided, in (term, index).

use std::collections::VecDeque;

use crate::types::Lsn;

/// The metadata log of a cluster whose only voter is this broker.
#[derive(Debug)]
pub struct SingleVoter<T> {
    term: u64,
    last_index: u64,
    /// Entries that are not on disk yet, in order.
    proposed: VecDeque<(Lsn, T)>,
}

impl<T> SingleVoter<T> {
    /// A voter that knows everything up to `last_index`, written in terms up to `last_term`. It leads
    /// in a term of its own.
    pub fn new(last_term: u64, last_index: u64) -> Self {
        Self { term: last_term + 1, last_index, proposed: VecDeque::new() }
    }

    /// The term in which this voter leads.
    pub fn term(&self) -> u64 {
        self.term
    }

    /// The index that the next entry gets.
    pub fn next_index(&self) -> u64 {
        self.last_index + 1
    }

    /// Notes that an entry with the next index is in the write-ahead log under `lsn`.
    pub fn propose(&mut self, lsn: Lsn, entry: T) {
        self.last_index += 1;
        self.proposed.push_back((lsn, entry));
    }

    /// The next entry that has been decided, given what is durable.
    pub fn decided(&mut self, durable: Lsn) -> Option<T> {
        let (_, entry) = self.proposed.pop_front_if(|(lsn, _)| *lsn <= durable)?;
        Some(entry)
    }

    /// Whether nothing waits for the disk.
    pub fn is_idle(&self) -> bool {
        self.proposed.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_decided_when_it_is_durable() {
        let mut voter = SingleVoter::new(4, 10);
        assert_eq!((voter.term(), voter.next_index()), (5, 11));
        voter.propose(Lsn::new(7), "one");
        voter.propose(Lsn::new(9), "two");
        assert_eq!(voter.next_index(), 13);
        assert_eq!(voter.decided(Lsn::new(8)), Some("one"));
        assert_eq!(voter.decided(Lsn::new(8)), None);
        assert_eq!(voter.decided(Lsn::new(9)), Some("two"));
        assert!(voter.is_idle());
    }
}
