//! DescribeUserScramCredentials: nobody has credentials yet, so whoever is asked for is not found.

use std::collections::BTreeMap;

use super::context::{Context, Frame, Handled};
use crate::protocol::messages::describe_user_scram_credentials::{
    DescribeUserScramCredentialsRequest, DescribeUserScramCredentialsResponse,
    DescribeUserScramCredentialsResult,
};
use crate::protocol::{Array, ErrorCode, Message as _};

/// Handles a request.
pub(super) fn handle(ctx: &mut Context<'_>, frame: &Frame<'_>) -> Handled {
    let Ok(request) = DescribeUserScramCredentialsRequest::decode(frame.body, frame.version) else {
        return Handled::Close("a DescribeUserScramCredentials request that cannot be decoded");
    };
    let mut users = BTreeMap::<&str, usize>::new();
    for user in request.users.iter().flat_map(|users| users.iter()) {
        *users.entry(user.name).or_default() += 1;
    }
    let results: Vec<DescribeUserScramCredentialsResult<'_>> = users
        .into_iter()
        .map(|(user, times)| {
            let (code, reason) = match times {
                1 => (ErrorCode::ResourceNotFound, "the user has no SCRAM credentials"),
                _ => (ErrorCode::DuplicateResource, "the request names the user twice"),
            };
            DescribeUserScramCredentialsResult {
                user,
                error_code: code.code(),
                error_message: Some(reason),
                ..Default::default()
            }
        })
        .collect();
    let results = Array::new(&results);
    ctx.respond(frame, &DescribeUserScramCredentialsResponse { results, ..Default::default() })
}
