//! Threads beside the cores, for what may wait or takes long: cold disk requests, jobs, and pages
//! that have to come from the disk before they can be sent.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;

use super::blocking::perform;
use super::file::{Closer, RuntimeFile};
use super::wake::Waker;
use crate::handlers::{Job, JobResult};
use crate::io::{DiskOp, DiskResult, FileHandle};
use crate::store::Reply;
use crate::types::TopicPartition;

/// Threads for all cores together, of each kind.
const THREADS: usize = 4;

/// A piece of work.
#[derive(Debug)]
pub(super) enum Work {
    /// A cold disk request.
    Disk { owner: u32, token: u32, op: DiskOp },
    /// A computation.
    Job(Job),
    /// Bring a part of a file into the page cache, for a connection that is to be sent it.
    Warm { connection: u64, file: FileHandle, position: u64, len: u64 },
}

/// What came of it.
#[derive(Debug)]
pub(super) enum Done {
    Disk { owner: u32, token: u32, result: DiskResult },
    Job { id: TopicPartition, reply: Reply, result: JobResult },
    Warm { connection: u64 },
}

type Order = (Work, Sender<Done>, Waker);

/// All threads: those for the disk and for what is sent, and those that compute. Clients can order as
/// much computation as they like, and the disk must not wait for that.
#[derive(Clone, Debug)]
pub(super) struct Workers {
    disk: Sender<Order>,
    jobs: Sender<Order>,
}

impl Workers {
    /// Starts the threads; they end when every handle is gone.
    pub(super) fn start(closer: &Closer) -> Self {
        let start = |kind: &str| {
            let (sender, receiver) = channel::<Order>();
            let receiver = Arc::new(Mutex::new(receiver));
            for index in 0..THREADS {
                let (receiver, closer) = (Arc::clone(&receiver), closer.clone());
                thread::Builder::new()
                    .name(format!("{kind}-{index}"))
                    .spawn(move || serve(&receiver, &closer))
                    .expect("a thread can be started");
            }
            sender
        };
        Self { disk: start("disk"), jobs: start("job") }
    }

    /// One core's door to the threads.
    pub(super) fn door(&self, waker: Waker) -> Door {
        let (results, done) = channel();
        Door { workers: self.clone(), results, done, found: None, waker }
    }
}

fn serve(orders: &Mutex<Receiver<Order>>, closer: &Closer) {
    loop {
        let order = orders.lock().expect("no thread panics with it").recv();
        let Ok((work, results, waker)) = order else { return };
        let done = match work {
            Work::Disk { owner, token, op } => {
                Done::Disk { owner, token, result: perform(op, closer) }
            }
            Work::Job(job) => {
                let (id, reply) = (job.id, job.reply);
                Done::Job { id, reply, result: job.run() }
            }
            Work::Warm { connection, file, position, len } => {
                RuntimeFile::warm(&file, position, len);
                Done::Warm { connection }
            }
        };
        // The core may have ended meanwhile.
        if results.send(done).is_ok() {
            waker.wake();
        }
    }
}

/// Where one core hands work in and takes results out.
#[derive(Debug)]
pub(super) struct Door {
    workers: Workers,
    results: Sender<Done>,
    done: Receiver<Done>,
    /// A result that was found while looking whether there is one.
    found: Option<Done>,
    waker: Waker,
}

impl Door {
    pub(super) fn order(&self, work: Work) {
        let orders = match &work {
            Work::Job(_) => &self.workers.jobs,
            Work::Disk { .. } | Work::Warm { .. } => &self.workers.disk,
        };
        let order = (work, self.results.clone(), self.waker.clone());
        orders.send(order).expect("the threads live as long as the cores");
    }

    pub(super) fn done(&mut self) -> Option<Done> {
        self.found.take().or_else(|| self.done.try_recv().ok())
    }

    pub(super) fn has_work(&mut self) -> bool {
        if self.found.is_none() {
            self.found = self.done.try_recv().ok();
        }
        self.found.is_some()
    }
}
