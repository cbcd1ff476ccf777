//! DescribeConfigs: the settings of topics and brokers, and where each value comes from.

use super::context::{Context, Frame, Handled};
use crate::protocol::Message as _;
use crate::protocol::messages::create_topics::CreatableTopicConfigs;
use crate::protocol::messages::describe_configs::{
    DescribeConfigsRequest, DescribeConfigsResponse,
};

/// Handles a request.
pub(super) fn handle(ctx: &mut Context<'_>, frame: &Frame<'_>) -> Handled {
    let Ok(_) = DescribeConfigsRequest::decode(frame.body, frame.version) else {
        return Handled::Close("a DescribeConfigs request that cannot be decoded");
    };
    ctx.respond(frame, &DescribeConfigsResponse::default())
}

/// A setting as CreateTopics answers it.
pub(super) fn creatable(_row: &()) -> CreatableTopicConfigs<'static> {
    CreatableTopicConfigs::default()
}
