//! Asks every core how it is doing. The answers are copies: nobody waits for a reader.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use super::wake::Waker;
use crate::metrics::Histogram;
use crate::shard::Report;

/// How one core is doing.
#[derive(Clone, Debug)]
pub struct CoreReport {
    /// Its shard.
    pub shard: Report,
    /// How long its turns took, without the time asleep: their sum is the time that it was busy.
    pub turns: Histogram,
    /// Bytes that clients were sent straight from files.
    pub sent_file_bytes: u64,
}

/// Where the answer goes.
pub(super) type Question = Sender<CoreReport>;

/// Asks every core of a broker. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Observer {
    cores: Vec<(Sender<Question>, Waker)>,
}

impl Observer {
    /// An observer of the cores that these wake, and the ends at which they hear its questions.
    pub(super) fn new(wakers: &[Waker]) -> (Self, Vec<Receiver<Question>>) {
        let (cores, questions) = wakers
            .iter()
            .map(|waker| {
                let (sender, receiver) = channel();
                ((sender, waker.clone()), receiver)
            })
            .unzip();
        (Self { cores }, questions)
    }

    /// What all cores answer, in their order; none when one does not answer within `patience`, as
    /// when it hangs or the broker has ended.
    pub fn ask(&self, patience: Duration) -> Option<Vec<CoreReport>> {
        let end = Instant::now() + patience;
        let (answer, answers) = channel();
        for (questions, waker) in &self.cores {
            questions.send(answer.clone()).ok()?;
            waker.wake();
        }
        drop(answer);
        let answered = |_| answers.recv_timeout(end.saturating_duration_since(Instant::now())).ok();
        let mut reports: Vec<CoreReport> = self.cores.iter().map_while(answered).collect();
        reports.sort_by_key(|report| report.shard.shard);
        (reports.len() == self.cores.len()).then_some(reports)
    }
}
