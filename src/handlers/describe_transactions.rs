//! DescribeTransactions: there are none yet.

use super::context::{Context, Frame, Handled};
use crate::protocol::messages::describe_transactions::{
    DescribeTransactionsRequest, DescribeTransactionsResponse, TransactionState,
};
use crate::protocol::{Array, ErrorCode, Message as _};

/// Handles a request.
pub(super) fn handle(ctx: &mut Context<'_>, frame: &Frame<'_>) -> Handled {
    let Ok(request) = DescribeTransactionsRequest::decode(frame.body, frame.version) else {
        return Handled::Close("a DescribeTransactions request that cannot be decoded");
    };
    let states: Vec<TransactionState<'_>> = request
        .transactional_ids
        .iter()
        .map(|transactional_id| {
            let error = match transactional_id {
                "" => ErrorCode::InvalidRequest,
                _ => ErrorCode::TransactionalIdNotFound,
            };
            TransactionState { error_code: error.code(), transactional_id, ..Default::default() }
        })
        .collect();
    let transaction_states = Array::new(&states);
    ctx.respond(frame, &DescribeTransactionsResponse { transaction_states, ..Default::default() })
}
