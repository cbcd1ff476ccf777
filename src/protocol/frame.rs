use super::failure::EncodeError;
use super::message::{Message, Request, Response};
use super::messages::headers::{RequestHeader, ResponseHeader};
use super::writer::Writer;

/// Appends a request as it goes over the wire: length, header, body.
///
/// # Errors
/// When a field or the frame is too long; then nothing is appended.
pub fn write_request<'a, M: Request<'a>>(
    writer: &mut Writer,
    correlation_id: i32,
    client_id: Option<&str>,
    version: i16,
    request: &M,
) -> Result<(), EncodeError> {
    let header = RequestHeader {
        request_api_key: M::API.key(),
        request_api_version: version,
        correlation_id,
        client_id,
    };
    writer.frame(|writer| {
        header.encode(M::API.request_header_version(version), writer)?;
        request.encode(version, writer)
    })
}

/// Appends a response as it goes over the wire: length, header, body. The length counts the
/// bytes of cuts.
///
/// # Errors
/// When a field or the frame is too long; then nothing is appended.
pub fn write_response<'a, M: Response<'a>>(
    writer: &mut Writer,
    correlation_id: i32,
    version: i16,
    response: &M,
) -> Result<(), EncodeError> {
    let header = ResponseHeader { correlation_id };
    writer.frame(|writer| {
        header.encode(M::API.response_header_version(version), writer)?;
        response.encode(version, writer)
    })
}
