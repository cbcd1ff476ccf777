//! Asks every core how it is doing. The answers are copies: nobody waits for a reader.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use super::wake::Waker;
use crate::metrics::Histogram;
use crate::shard::{Report, Stage};

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

/// What a core is asked, and where the answer goes.
#[derive(Debug)]
pub(super) enum Question {
    /// Whether it serves: answered at once, however much there is to report.
    Stage(Sender<Stage>),
    /// How it is doing.
    Report(Sender<Arc<CoreReport>>),
}

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

    /// The least advanced stage of all cores; none when one does not answer within `patience`, as
    /// when it hangs or the broker has ended.
    pub fn stage(&self, patience: Duration) -> Option<Stage> {
        self.ask(patience, Question::Stage)?.into_iter().min()
    }

    /// How all cores are doing, in their order; none when one does not answer within `patience`.
    pub fn report(&self, patience: Duration) -> Option<Vec<Arc<CoreReport>>> {
        let mut reports = self.ask(patience, Question::Report)?;
        reports.sort_by_key(|report| report.shard.shard);
        Some(reports)
    }

    fn ask<T>(
        &self,
        patience: Duration,
        question: impl Fn(Sender<T>) -> Question,
    ) -> Option<Vec<T>> {
        let end = Instant::now() + patience;
        let (answer, answers) = channel();
        for (questions, waker) in &self.cores {
            questions.send(question(answer.clone())).ok()?;
            waker.wake();
        }
        drop(answer);
        let answered = |_| answers.recv_timeout(end.saturating_duration_since(Instant::now())).ok();
        let all: Vec<T> = self.cores.iter().map_while(answered).collect();
        (all.len() == self.cores.len()).then_some(all)
    }
}
