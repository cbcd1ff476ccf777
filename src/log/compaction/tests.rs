//! Whole compactions against a directory in memory, whose disk refuses one thing.

use std::collections::BTreeMap;

use super::*;
use crate::record::{BatchBuilder, BatchOptions, Batches, NewRecord};

#[derive(Debug)]
struct Opened(usize);

impl crate::io::OpenFile for Opened {
    fn as_any(&self) -> &dyn core::any::Any {
        self
    }
}

/// Names, and the files that they stand for.
#[derive(Clone, Default)]
struct Directory {
    names: BTreeMap<String, usize>,
    files: Vec<Vec<u8>>,
}

impl Directory {
    fn name(path: &FileName) -> String {
        path.rsplit('/').next().unwrap().to_owned()
    }

    fn write(&mut self, name: String, bytes: Vec<u8>) {
        self.names.insert(name, self.files.len());
        self.files.push(bytes);
    }

    fn file(&mut self, file: &FileHandle) -> &mut Vec<u8> {
        &mut self.files[file.downcast::<Opened>().unwrap().0]
    }

    fn content(&self) -> BTreeMap<&str, &[u8]> {
        self.names.iter().map(|(name, file)| (&**name, &*self.files[*file])).collect()
    }

    fn apply(&mut self, op: DiskOp) -> DiskResult {
        match op {
            DiskOp::Open { path, create, .. } => {
                let name = Self::name(&path);
                if create && !self.names.contains_key(&name) {
                    self.write(name.clone(), Vec::new());
                }
                let number = *self.names.get(&name).ok_or(DiskError::NotFound)?;
                return Ok(DiskDone::Opened { file: FileHandle::new(Opened(number)), len: 0 });
            }
            DiskOp::Read { file, position, len } => {
                let file = self.file(&file);
                let start = usize::try_from(position).unwrap();
                let end = file.len().min(start + len);
                return Ok(DiskDone::Read(MemoryRange::copy_of(&file[start..end])));
            }
            DiskOp::Write { file, position, bytes } => {
                let file = self.file(&file);
                file.truncate(usize::try_from(position).unwrap());
                file.extend_from_slice(&bytes);
            }
            DiskOp::SetLength { file, len } => {
                self.file(&file).truncate(usize::try_from(len).unwrap());
            }
            DiskOp::WriteFile { path, bytes } => self.write(Self::name(&path), bytes),
            DiskOp::Rename { from, to } => {
                let file = self.names.remove(&Self::name(&from)).ok_or(DiskError::NotFound)?;
                self.names.insert(Self::name(&to), file);
            }
            DiskOp::Remove { path } => {
                self.names.remove(&Self::name(&path)).ok_or(DiskError::NotFound)?;
            }
            DiskOp::Sync { .. } | DiskOp::SyncDirectory { .. } => {}
            other => panic!("{other:?}"),
        }
        Ok(DiskDone::Done)
    }
}

/// Three segments of ten records each, of which the last three stay, and what compacts them.
fn log() -> (Directory, CompactionPlan) {
    let mut directory = Directory::default();
    let mut segments = Vec::new();
    for base in [0, 10, 20] {
        let mut bytes = Vec::new();
        for offset in base..base + 10 {
            let base_offset = Offset::new(offset);
            let options = BatchOptions { base_offset, ..BatchOptions::default() };
            let mut builder = BatchBuilder::new(options);
            let (timestamp, key) = (Timestamp::new(offset), [b'0' + (offset % 3) as u8]);
            let value = Some(&b"value"[..]);
            builder.append(&NewRecord { timestamp, key: Some(&key), value, headers: &[] }).unwrap();
            builder.finish(&mut bytes).unwrap();
        }
        let (base, end) = (Offset::new(base), Offset::new(base + 10));
        segments.push((base, end, Position::new(bytes.len() as u64)));
        for kind in INDEXES.into_iter().chain([FileKind::ProducerSnapshot]) {
            directory.write(file_name(base, kind), b"old".to_vec());
        }
        directory.write(file_name(base, FileKind::Log), bytes);
    }
    let plan = CompactionPlan {
        directory: FileName::new("/data/a-0"),
        segments,
        first_dirty_offset: Offset::ZERO,
        map_bytes_max: 1 << 20,
        settings: LogSettings {
            segment_bytes: 1 << 20,
            segment_age_max: Duration::MAX,
            index_interval_bytes: 4096,
            index_bytes_max: 1 << 20,
        },
        now: Timestamp::new(1000),
        delete_retention: Duration::ZERO,
        last_of_producers: Map::default(),
    };
    (directory, plan)
}

/// Runs it; the disk answers request number `refused` by `error` and does nothing.
fn run(
    directory: &mut Directory,
    plan: CompactionPlan,
    (refused, error): (usize, DiskError),
) -> Result<Offset, (CompactionError, bool)> {
    let mut compaction = Compaction::new(plan);
    let (mut requests, mut replaced) = (0, false);
    loop {
        let went = match compaction.ask() {
            CompactionWant::Done(end) => return Ok(end),
            CompactionWant::Replace(..) => {
                replaced = true;
                Ok(())
            }
            CompactionWant::Step(step) => compaction.computed(step.run()),
            CompactionWant::Disk(op) => {
                requests += 1;
                let result = if requests == refused { Err(error) } else { directory.apply(op) };
                compaction.completed(result)
            }
        };
        if let Err(error) = went {
            for path in compaction.leftovers() {
                let _ = directory.apply(DiskOp::Remove { path });
            }
            return Err((error, replaced));
        }
    }
}

#[test]
fn several_segments_become_one_and_no_file_of_the_others_is_left() {
    let (mut directory, plan) = log();
    assert_eq!(run(&mut directory, plan, (0, DiskError::Full)), Ok(Offset::new(30)));
    let kinds =
        [FileKind::OffsetIndex, FileKind::Log, FileKind::ProducerSnapshot, FileKind::TimeIndex];
    let names: Vec<String> = kinds.map(|kind| file_name(Offset::ZERO, kind)).to_vec();
    assert_eq!(directory.content().into_keys().collect::<Vec<_>>(), names);
    let log = directory.content()[&*file_name(Offset::ZERO, FileKind::Log)];
    let kept = Batches::new(log).map(|batch| batch.header().base_offset.get());
    assert_eq!(kept.collect::<Vec<_>>(), [27, 28, 29]);
}

/// What stayed under a `.swap` name would be put in place by a start, however much later, over
/// segments that have changed since.
#[test]
fn what_ends_it_for_now_leaves_the_directory_as_it_was() {
    let (mut later, mut fatal) = (0, 0);
    for refused in 1.. {
        for error in [DiskError::Full, DiskError::TooManyOpenFiles] {
            let (mut directory, plan) = log();
            let before = directory.clone();
            match run(&mut directory, plan, (refused, error)) {
                Ok(_) => {
                    assert!(later > 10 && fatal > 2, "{later} were refused, {fatal} fatal");
                    return;
                }
                Err((CompactionError::Disk(_), _)) => fatal += 1,
                Err((_, replaced)) => {
                    later += 1;
                    assert!(!replaced, "request {refused}");
                    assert_eq!(directory.content(), before.content(), "request {refused}");
                }
            }
        }
    }
}
