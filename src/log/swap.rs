//! What a compaction that did not end has left in a partition's directory, and how a start puts it
//! right: what was being written is removed, and what was whole takes its place.

use std::collections::{BTreeSet, VecDeque};

use super::recovery::RecoveryError;
use super::segment::{
    CLEANED_SUFFIX, DELETED_SUFFIX, FileKind, INDEXES, SWAP_SUFFIX, file_name, parse_file_name,
    swap_name,
};
use super::{Log, SealedSegment, SegmentScan};
use crate::io::{DirectoryEntry, DiskError, DiskOp, DiskResult, FileName};
use crate::planted::{Bug, planted};
use crate::record::Batches;
use crate::types::{Offset, Position};

/// A segment whose files have yet to take their names.
#[derive(Debug)]
struct Whole {
    base: Offset,
    scan: SegmentScan,
    /// The offset behind its last batch: segments that begin before it are among those that it
    /// replaces. Those behind hold nothing but what is out of date, and go with the next compaction.
    end: Offset,
}

/// The machine. It asks for one thing at a time.
#[derive(Debug)]
pub(super) struct Swap {
    directory: FileName,
    names: BTreeSet<String>,
    whole: VecDeque<Whole>,
    steps: VecDeque<DiskOp>,
    is_scanning: bool,
}

impl Swap {
    /// The machine for a directory with these entries, if there is anything to do.
    pub(super) fn of(directory: &FileName, entries: &[DirectoryEntry]) -> Option<Self> {
        let names: BTreeSet<String> = entries.iter().map(|entry| entry.name.clone()).collect();
        let mut swap = Self {
            directory: directory.clone(),
            names,
            whole: VecDeque::new(),
            steps: VecDeque::new(),
            is_scanning: false,
        };
        let mut unfinished = Vec::new();
        for entry in entries {
            let plain = entry.name.strip_suffix(SWAP_SUFFIX).and_then(parse_file_name);
            match plain {
                Some((base, FileKind::Log)) if !planted(Bug::ForgetSwap) => {
                    let size = Position::new(entry.len);
                    let scan = SegmentScan::new(directory.join(&entry.name), base, size);
                    swap.whole.push_back(Whole { base, scan, end: base });
                }
                Some((base, _)) if swap.has(&swap_name(base, FileKind::Log)) => {}
                // An index whose log file has its name already, or never got as far.
                Some(_) => unfinished.push(&entry.name),
                None => {
                    let suffixes = [CLEANED_SUFFIX, DELETED_SUFFIX];
                    let suffix = suffixes.iter().find_map(|it| entry.name.strip_suffix(it));
                    if suffix.and_then(parse_file_name).is_some() {
                        unfinished.push(&entry.name);
                    }
                }
            }
        }
        if unfinished.is_empty() && swap.whole.is_empty() {
            return None;
        }
        let removals = unfinished.iter().map(|name| DiskOp::Remove { path: directory.join(name) });
        swap.steps.extend(removals);
        swap.steps.push_back(DiskOp::SyncDirectory { path: directory.clone() });
        Some(swap)
    }

    fn has(&self, name: &str) -> bool {
        self.names.contains(name)
    }

    /// What to ask the disk for; `None` when everything is done.
    pub(super) fn ask(&mut self) -> Option<DiskOp> {
        if let Some(op) = self.steps.pop_front() {
            return Some(op);
        }
        let whole = self.whole.front()?;
        if let Some(op) = whole.scan.ask() {
            self.is_scanning = true;
            return Some(op);
        }
        let Whole { base, end, .. } = self.whole.pop_front().expect("just seen");
        self.steps = self.steps_for(base, end);
        self.steps.pop_front()
    }

    /// The same order as when compaction does it: the old files go, for good, before the new log
    /// file takes its name.
    fn steps_for(&self, base: Offset, end: Offset) -> VecDeque<DiskOp> {
        let path = |name: &str| self.directory.join(name);
        let sync = || DiskOp::SyncDirectory { path: self.directory.clone() };
        let replaced = self.names.iter().filter(|name| {
            parse_file_name(name).is_some_and(|(other, kind)| {
                let own = other == base && INDEXES.contains(&kind);
                own || (other > base && other < end)
            })
        });
        let mut steps: VecDeque<DiskOp> =
            replaced.map(|name| DiskOp::Remove { path: path(name) }).collect();
        steps.push_back(sync());
        for kind in [FileKind::OffsetIndex, FileKind::TimeIndex, FileKind::Log] {
            let (from, to) = (swap_name(base, kind), file_name(base, kind));
            if self.has(&from) {
                steps.push_back(DiskOp::Rename { from: path(&from), to: path(&to) });
            }
        }
        steps.push_back(sync());
        steps
    }

    /// Takes the answer.
    ///
    /// # Errors
    /// The segment that should take its place cannot be read, or the disk failed.
    pub(super) fn completed(&mut self, result: DiskResult) -> Result<(), RecoveryError> {
        if !std::mem::take(&mut self.is_scanning) {
            return match result {
                Ok(_) | Err(DiskError::NotFound) => Ok(()),
                Err(error) => Err(error.into()),
            };
        }
        let whole = self.whole.front_mut().expect("it is scanned");
        let bytes = whole.scan.completed(result).map_err(RecoveryError::Swap)?;
        let last = bytes.as_deref().and_then(|bytes| Batches::new(bytes).last());
        whole.end = last.map_or(whole.end, |batch| batch.header().next_offset());
        Ok(())
    }
}

impl Log {
    /// The segments that compaction may look at: complete, below the durable checkpoint, with their
    /// base offset, end offset and bytes. Something always follows them, so that no offset is left
    /// without a batch behind it.
    pub fn compactable(&self) -> impl Iterator<Item = &SealedSegment> {
        let alone = self.active.is_none() && self.sealing.is_empty();
        let most = self.sealed.len() - usize::from(alone && !self.sealed.is_empty());
        self.sealed.iter().take(most).filter(|segment| segment.base_offset < self.checkpointed)
    }

    /// Puts one segment in place of some that follow each other.
    ///
    /// # Panics
    /// When they are not there.
    pub fn replace(&mut self, old: &[Offset], new: SealedSegment, chunks: &mut super::Chunks) {
        let at = self.sealed.iter().position(|segment| segment.base_offset == old[0]);
        let at = at.expect("nothing else changes a log that is compacted");
        let replaced: Vec<Offset> =
            self.sealed.drain(at..at + old.len()).map(|segment| segment.base_offset).collect();
        assert_eq!(replaced, old);
        // The one that was put in place before it has its names by now.
        at.checked_sub(1).into_iter().for_each(|before| self.sealed[before].let_go());
        self.sealed.insert(at, new);
        self.layout += 1;
        // What memory still has of the old files stands at other places than in the new one.
        while self.tail.first_segment().is_some_and(|base| replaced.contains(&base)) {
            assert!(self.evict(chunks), "what is sealed is durable");
        }
    }

    /// A compaction begins: it alone changes the sealed segments. Or it has ended, and the files of
    /// its segments have their names.
    pub fn set_compacting(&mut self, is_compacting: bool) {
        self.is_compacting = is_compacting;
        if !is_compacting {
            let pinned = self.sealed.iter_mut().filter(|segment| segment.is_pinned);
            pinned.for_each(SealedSegment::let_go);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::io::EntryKind;

    fn entries(names: &[&str]) -> Vec<DirectoryEntry> {
        let entry = |name: &&str| DirectoryEntry {
            name: (*name).to_owned(),
            kind: EntryKind::File,
            len: 0,
        };
        names.iter().map(entry).collect()
    }

    /// Everything that is asked for, with the directory left out.
    fn asked(names: &[&str]) -> Vec<String> {
        let mut swap = Swap::of(&FileName::new("/d"), &entries(names));
        let mut asked = Vec::new();
        while let Some(op) = swap.as_mut().and_then(Swap::ask) {
            asked.push(match op {
                DiskOp::Remove { path } => format!("remove {}", &path[3..]),
                DiskOp::Rename { from, to } => format!("{} -> {}", &from[3..], &to[3..]),
                DiskOp::SyncDirectory { .. } => "sync".to_owned(),
                other => panic!("{other:?}"),
            });
            swap.as_mut().unwrap().completed(Ok(crate::io::DiskDone::Done)).unwrap();
        }
        asked
    }

    const LOG: &str = "00000000000000000000.log";
    const INDEX: &str = "00000000000000000000.index";

    #[test]
    fn nothing_is_done_where_compaction_left_nothing() {
        assert!(asked(&[LOG, INDEX, "partition.metadata", "x.swap", "y.cleaned"]).is_empty());
    }

    #[test]
    fn what_was_being_written_is_removed() {
        let cleaned = "00000000000000000000.log.cleaned";
        let lonely = "00000000000000000000.index.swap";
        let deleted = "00000000000000000007.log.deleted";
        let removals = [
            format!("remove {lonely}"),
            format!("remove {cleaned}"),
            format!("remove {deleted}"),
            "sync".to_owned(),
        ];
        assert_eq!(asked(&[INDEX, lonely, LOG, cleaned, deleted]), removals);
    }

    #[test]
    fn what_was_whole_takes_its_place_after_the_old_files_are_gone() {
        let (swap, index) = (format!("{LOG}.swap"), format!("{INDEX}.swap"));
        let steps = [
            "sync".to_owned(),
            format!("remove {INDEX}"),
            "sync".to_owned(),
            format!("{index} -> {INDEX}"),
            format!("{swap} -> {LOG}"),
            "sync".to_owned(),
        ];
        assert_eq!(asked(&[INDEX, &index, LOG, &swap]), steps);
        // Without its index, it is walked.
        let steps = [&steps[..3], &steps[4..]].concat();
        assert_eq!(asked(&[INDEX, LOG, &swap]), steps);
    }

    #[test]
    fn what_compaction_holds_open_is_let_go_once_it_has_its_names() {
        let segment = |base: i64, is_pinned| {
            let end = Offset::new(base + 10);
            let mut segment = SealedSegment::new(Offset::new(base), end, Position::new(1));
            segment.offsets = Some(Arc::default());
            segment.is_pinned = is_pinned;
            segment
        };
        let mut chunks = crate::log::Chunks::new(1 << 20);
        let mut log = Log::new(&FileName::new("/data"), "a-0", Vec::new());
        log.sealed = [0, 10, 20].map(|base| segment(base, false)).into();
        log.set_compacting(true);
        let held = |log: &Log| log.sealed.iter().map(|it| it.offsets.is_some()).collect::<Vec<_>>();
        log.replace(&[Offset::new(0), Offset::new(10)], segment(0, true), &mut chunks);
        log.unload(Offset::ZERO);
        assert_eq!(held(&log), [true, true]);
        log.replace(&[Offset::new(20)], segment(20, true), &mut chunks);
        assert_eq!(held(&log), [false, true]);
        log.set_compacting(false);
        assert_eq!(held(&log), [false, false]);
    }
}
