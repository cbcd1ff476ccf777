//! Requests to groups: every part goes to the shard that owns its groups' partition of
//! `__consumer_offsets`, and the response is written when all have answered.

use core::fmt::Debug;
use std::collections::BTreeMap;

use super::context::{Context, Frame, GroupQuestion, Handled};
use super::operation::Kind;
use super::peer::{Answer, owner};
use crate::coordinator::group::{GroupError, Request, Response};
use crate::types::TopicPartition;

/// How an API makes its response of the answers.
pub(super) trait Respond: Debug + Send {
    /// Writes the response. The answers are in the order of the questions.
    fn respond(&self, ctx: &mut Context<'_>, answers: Vec<Response>, to: Caller);
}

/// Whom a response is for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Caller {
    pub(super) correlation_id: i32,
    pub(super) version: i16,
}

/// A request under way.
#[derive(Debug)]
pub struct GroupCall {
    version: i16,
    memory_bytes: usize,
    answers: Vec<Option<Response>>,
    /// Questions without an answer.
    waiting: usize,
    api: Box<dyn Respond>,
}

/// Parts of a request for one partition; for none while there is no topic.
pub(super) type Share<T> = (Option<TopicPartition>, Vec<T>);

impl Context<'_> {
    /// Asks about groups of each partition. Without a partition, the answer is that this broker
    /// coordinates nothing, upon which clients look for the coordinator, which makes the topic.
    pub(super) fn ask_groups(
        &mut self,
        frame: &Frame<'_>,
        questions: Vec<(Option<TopicPartition>, Request)>,
        api: impl Respond + 'static,
    ) -> Handled {
        let api = Box::new(api);
        let (version, memory_bytes) = (frame.version, frame.body.len());
        let mut call = GroupCall { version, memory_bytes, answers: Vec::new(), waiting: 0, api };
        for (item, (id, request)) in questions.into_iter().enumerate() {
            let Some(id) = id else {
                call.answers.push(Some(request.refused(GroupError::NotCoordinator)));
                continue;
            };
            call.answers.push(None);
            call.waiting += 1;
            let (to, reply) = (owner(id, self.shards), self.reply(item));
            let request = Box::new(request);
            self.outbound.group_questions.push(GroupQuestion { to, id, request, reply });
        }
        if call.waiting > 0 {
            return Handled::Pending(Kind::Group(Box::new(call)));
        }
        call.respond(self, frame.correlation_id);
        Handled::Responded
    }

    /// Sorts parts of a request by the partitions of their groups. Also answers the place in the
    /// request of each part, for [`in_order`].
    pub(super) fn shares<T>(
        &self,
        parts: impl Iterator<Item = T>,
        group: impl Fn(&T) -> &str,
    ) -> (Vec<Share<T>>, Vec<usize>) {
        let mut shares = BTreeMap::<Option<TopicPartition>, Vec<(usize, T)>>::new();
        for (place, part) in parts.enumerate() {
            shares.entry(self.partition_of_group(group(&part))).or_default().push((place, part));
        }
        let mut places = Vec::new();
        let shares = shares.into_iter().map(|(id, parts)| {
            let (of_share, parts): (Vec<usize>, Vec<T>) = parts.into_iter().unzip();
            places.extend(of_share);
            (id, parts)
        });
        (shares.collect(), places)
    }
}

/// Answers to the parts that [`Context::shares`] has sorted, in the order of the request.
pub(super) fn in_order<T>(places: &[usize], answers: impl Iterator<Item = T>) -> Vec<T> {
    let mut placed: Vec<(usize, T)> = places.iter().copied().zip(answers).collect();
    placed.sort_by_key(|(place, _)| *place);
    placed.into_iter().map(|(_, answer)| answer).collect()
}

/// The answer to the only question.
pub(super) fn only(answers: Vec<Response>) -> Response {
    let mut answers = answers.into_iter();
    let only = answers.next().expect("a question was asked");
    assert!(answers.next().is_none(), "one question was asked");
    only
}

impl GroupCall {
    /// Takes an answer; `true` when it was the last.
    pub(super) fn answered(&mut self, item: u32, answer: Answer) -> bool {
        let Answer::Group(response) = answer else {
            unreachable!("a group was asked, not {answer:?}")
        };
        let place = &mut self.answers[item as usize];
        assert!(place.is_none(), "each question is answered once");
        *place = Some(*response);
        self.waiting -= 1;
        self.waiting == 0
    }

    /// About the memory that it takes: as much as the request.
    pub(super) fn memory_bytes(&self) -> usize {
        self.memory_bytes
    }

    /// Writes the response.
    pub(super) fn respond(&mut self, ctx: &mut Context<'_>, correlation_id: i32) {
        let answers = std::mem::take(&mut self.answers);
        let answers = answers.into_iter().map(|answer| answer.expect("all have answered"));
        let caller = Caller { correlation_id, version: self.version };
        self.api.respond(ctx, answers.collect(), caller);
    }
}
