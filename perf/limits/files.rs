//! The files of a run, and a thread that opens and removes segments beside the measured core.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::FileExt as _;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use millstream::io::{DiskDone, DiskOp, FileHandle, FileName, OpenMode};
use millstream::runtime::{Closer, perform, run_closer};

/// Bytes of one WAL file.
pub(crate) const WAL_FILE_BYTES: u64 = 64 << 20;

enum Task {
    Prepare { partition: usize, number: u64, mode: OpenMode, len: u64 },
    Remove { path: FileName },
}

/// A segment that is ready to be written.
pub(crate) struct Prepared {
    pub(crate) partition: usize,
    pub(crate) path: FileName,
    pub(crate) file: FileHandle,
}

pub(crate) struct Files {
    directory: FileName,
    closer: Closer,
    tasks: Sender<Task>,
    prepared: Receiver<Prepared>,
}

impl Files {
    pub(crate) fn new(directory: &str) -> Self {
        let (closer, closing) = Closer::new();
        thread::spawn(move || run_closer(&closing));
        let (tasks, queue) = channel();
        let (ready, prepared) = channel();
        let directory = FileName::new(directory);
        let (dir, closer_there) = (directory.clone(), closer.clone());
        thread::spawn(move || serve(&queue, &ready, &dir, &closer_there));
        Self { directory, closer, tasks, prepared }
    }

    /// WAL files of zeros, `bytes` in total, opened direct and synchronous.
    pub(crate) fn wal(&self, bytes: u64) -> Vec<FileHandle> {
        let zeros = vec![0u8; 1 << 20];
        (0..bytes / WAL_FILE_BYTES)
            .map(|number| {
                let path = self.directory.join(&format!("{number}.wal"));
                let mut file = fs::File::create(&*path).expect("created");
                for _ in 0..WAL_FILE_BYTES >> 20 {
                    file.write_all(&zeros).expect("zeroed");
                }
                file.sync_all().expect("synced");
                self.open(path, OpenMode::DirectSync)
            })
            .collect()
    }

    fn open(&self, path: FileName, mode: OpenMode) -> FileHandle {
        open(path, mode, &self.closer)
    }

    pub(crate) fn prepare(&self, partition: usize, number: u64, mode: OpenMode, len: u64) {
        self.tasks.send(Task::Prepare { partition, number, mode, len }).expect("the thread lives");
    }

    pub(crate) fn remove(&self, path: FileName) {
        self.tasks.send(Task::Remove { path }).expect("the thread lives");
    }

    pub(crate) fn prepared(&self) -> Option<Prepared> {
        self.prepared.try_recv().ok()
    }

    pub(crate) fn wait_prepared(&self) -> Prepared {
        self.prepared.recv().expect("the thread lives")
    }
}

fn open(path: FileName, mode: OpenMode, closer: &Closer) -> FileHandle {
    match perform(DiskOp::Open { path, mode, create: true }, closer) {
        Ok(DiskDone::Opened { file, .. }) => file,
        other => panic!("open: {other:?}"),
    }
}

fn serve(queue: &Receiver<Task>, ready: &Sender<Prepared>, directory: &FileName, closer: &Closer) {
    while let Ok(task) = queue.recv() {
        match task {
            Task::Prepare { partition, number, mode, len } => {
                let path = directory.join(&format!("{partition}-{number}.log"));
                // A first block of zeros: an empty file makes some file systems refuse O_DIRECT.
                let file = fs::File::create(&*path).expect("created");
                file.write_all_at(&[0], 0).expect("written");
                let flags = rustix::fs::FallocateFlags::empty();
                rustix::fs::fallocate(&file, flags, 0, len).expect("reserved");
                file.sync_all().expect("synced");
                let file = open(path.clone(), mode, closer);
                if ready.send(Prepared { partition, path, file }).is_err() {
                    return;
                }
            }
            Task::Remove { path } => drop(fs::remove_file(&*path)),
        }
    }
}
