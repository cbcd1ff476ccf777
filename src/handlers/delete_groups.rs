//! DeleteGroups: forgets groups without members, and their offsets.

use super::context::{Context, Frame, Handled};
use super::error::group_error_code;
use super::group_call::{Caller, Respond, in_order};
use crate::coordinator::group::{Request, Response};
use crate::protocol::messages::delete_groups::{
    DeletableGroupResult, DeleteGroupsRequest, DeleteGroupsResponse,
};
use crate::protocol::{Array, Message as _};

#[derive(Debug)]
struct DeleteGroups {
    places: Vec<usize>,
}

/// Handles a request.
pub(super) fn handle(ctx: &mut Context<'_>, frame: &Frame<'_>) -> Handled {
    let Ok(request) = DeleteGroupsRequest::decode(frame.body, frame.version) else {
        return Handled::Close("a DeleteGroups request that cannot be decoded");
    };
    let groups = request.groups_names.iter().map(str::to_owned);
    let (shares, places) = ctx.shares(groups, |group| group);
    let questions =
        shares.into_iter().map(|(id, groups)| (id, Request::Delete { groups })).collect();
    ctx.ask_groups(frame, questions, DeleteGroups { places })
}

impl Respond for DeleteGroups {
    fn respond(&self, ctx: &mut Context<'_>, answers: Vec<Response>, to: Caller) {
        let deleted = answers.into_iter().flat_map(|answer| match answer {
            Response::Delete(groups) => groups,
            other => unreachable!("a deletion was answered by {other:?}"),
        });
        let groups = in_order(&self.places, deleted);
        let results: Vec<DeletableGroupResult<'_>> = groups
            .iter()
            .map(|(group_id, result)| DeletableGroupResult {
                group_id,
                error_code: result.err().map_or(0, |error| group_error_code(error).code()),
                error_message: None,
            })
            .collect();
        let response = DeleteGroupsResponse { results: Array::new(&results), ..Default::default() };
        ctx.responder.respond(to.correlation_id, to.version, &response, []);
    }
}
