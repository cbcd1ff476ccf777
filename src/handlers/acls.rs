//! DescribeAcls, CreateAcls, DeleteAcls: there is no authorizer, and Kafka without one refuses them.

use super::context::{Context, Frame, Handled};
use crate::protocol::messages::create_acls::{
    AclCreationResult, CreateAclsRequest, CreateAclsResponse,
};
use crate::protocol::messages::delete_acls::{
    DeleteAclsFilterResult, DeleteAclsRequest, DeleteAclsResponse,
};
use crate::protocol::messages::describe_acls::{DescribeAclsRequest, DescribeAclsResponse};
use crate::protocol::{Array, ErrorCode, Message as _};

const DISABLED: i16 = ErrorCode::SecurityDisabled.code();
const REASON: Option<&str> = Some("No Authorizer is there: everyone may do everything");

/// Handles a DescribeAcls request.
pub(super) fn describe(ctx: &mut Context<'_>, frame: &Frame<'_>) -> Handled {
    if DescribeAclsRequest::decode(frame.body, frame.version).is_err() {
        return Handled::Close("a DescribeAcls request that cannot be decoded");
    }
    let response =
        DescribeAclsResponse { error_code: DISABLED, error_message: REASON, ..Default::default() };
    ctx.respond(frame, &response)
}

/// Handles a CreateAcls request.
pub(super) fn create(ctx: &mut Context<'_>, frame: &Frame<'_>) -> Handled {
    let Ok(request) = CreateAclsRequest::decode(frame.body, frame.version) else {
        return Handled::Close("a CreateAcls request that cannot be decoded");
    };
    let refused = AclCreationResult { error_code: DISABLED, error_message: REASON };
    let results = vec![refused; request.creations.len()];
    let results = Array::new(&results);
    ctx.respond(frame, &CreateAclsResponse { results, ..Default::default() })
}

/// Handles a DeleteAcls request.
pub(super) fn delete(ctx: &mut Context<'_>, frame: &Frame<'_>) -> Handled {
    let Ok(request) = DeleteAclsRequest::decode(frame.body, frame.version) else {
        return Handled::Close("a DeleteAcls request that cannot be decoded");
    };
    let refused = DeleteAclsFilterResult {
        error_code: DISABLED,
        error_message: REASON,
        ..Default::default()
    };
    let results = vec![refused; request.filters.len()];
    let filter_results = Array::new(&results);
    ctx.respond(frame, &DeleteAclsResponse { filter_results, ..Default::default() })
}
