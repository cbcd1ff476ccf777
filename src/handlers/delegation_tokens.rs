//! CreateDelegationToken, DescribeDelegationToken, RenewDelegationToken, ExpireDelegationToken: Kafka
//! refuses them over connections without authentication, which all are here.

use super::context::{Context, Frame, Handled};
use crate::protocol::messages::create_delegation_token::{
    CreateDelegationTokenRequest, CreateDelegationTokenResponse,
};
use crate::protocol::messages::describe_delegation_token::{
    DescribeDelegationTokenRequest, DescribeDelegationTokenResponse,
};
use crate::protocol::messages::expire_delegation_token::{
    ExpireDelegationTokenRequest, ExpireDelegationTokenResponse,
};
use crate::protocol::messages::renew_delegation_token::{
    RenewDelegationTokenRequest, RenewDelegationTokenResponse,
};
use crate::protocol::{ErrorCode, Message as _};

const REFUSED: i16 = ErrorCode::DelegationTokenRequestNotAllowed.code();

/// Handles a CreateDelegationToken request.
pub(super) fn create(ctx: &mut Context<'_>, frame: &Frame<'_>) -> Handled {
    if CreateDelegationTokenRequest::decode(frame.body, frame.version).is_err() {
        return Handled::Close("a CreateDelegationToken request that cannot be decoded");
    }
    let response = CreateDelegationTokenResponse {
        error_code: REFUSED,
        principal_type: "User",
        principal_name: "ANONYMOUS",
        token_requester_principal_type: "User",
        token_requester_principal_name: "ANONYMOUS",
        issue_timestamp_ms: -1,
        expiry_timestamp_ms: -1,
        max_timestamp_ms: -1,
        ..Default::default()
    };
    ctx.respond(frame, &response)
}

/// Handles a DescribeDelegationToken request.
pub(super) fn describe(ctx: &mut Context<'_>, frame: &Frame<'_>) -> Handled {
    if DescribeDelegationTokenRequest::decode(frame.body, frame.version).is_err() {
        return Handled::Close("a DescribeDelegationToken request that cannot be decoded");
    }
    let response = DescribeDelegationTokenResponse { error_code: REFUSED, ..Default::default() };
    ctx.respond(frame, &response)
}

/// Handles a RenewDelegationToken request.
pub(super) fn renew(ctx: &mut Context<'_>, frame: &Frame<'_>) -> Handled {
    if RenewDelegationTokenRequest::decode(frame.body, frame.version).is_err() {
        return Handled::Close("a RenewDelegationToken request that cannot be decoded");
    }
    let response = RenewDelegationTokenResponse {
        error_code: REFUSED,
        expiry_timestamp_ms: -1,
        ..Default::default()
    };
    ctx.respond(frame, &response)
}

/// Handles an ExpireDelegationToken request.
pub(super) fn expire(ctx: &mut Context<'_>, frame: &Frame<'_>) -> Handled {
    if ExpireDelegationTokenRequest::decode(frame.body, frame.version).is_err() {
        return Handled::Close("an ExpireDelegationToken request that cannot be decoded");
    }
    let response = ExpireDelegationTokenResponse {
        error_code: REFUSED,
        expiry_timestamp_ms: -1,
        ..Default::default()
    };
    ctx.respond(frame, &response)
}
