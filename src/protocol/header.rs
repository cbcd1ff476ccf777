use super::api::ApiKey;
use super::failure::DecodeError;
use super::field::Field as _;
use super::message::{Format, Message as _};
use super::messages::headers::{RequestHeader, ResponseHeader};
use super::reader::Reader;

const CLASSIC: Format = Format { version: 1, flexible: false, open_end: false };

impl<'a> RequestHeader<'a> {
    /// Reads the header at the start of a request and returns the bytes of the body. A version
    /// that is not defined is no error here, since the answer to it needs the correlation id. Of
    /// an API that is not defined the header's own version is unknown; tagged fields, if there
    /// are any, are then taken for the body.
    ///
    /// # Errors
    /// When the bytes are no header.
    pub fn split_frame(frame: &'a [u8]) -> Result<(Self, &'a [u8]), DecodeError> {
        let mut reader = Reader::new(frame);
        let key = i16::read(&mut reader, CLASSIC)?;
        let version = i16::read(&mut reader, CLASSIC)?;
        let header = ApiKey::from_key(key).map_or(1, |api| api.request_header_version(version));
        Self::decode_prefix(frame, header)
    }

    /// The API that is asked for, if it is defined here.
    pub fn api(&self) -> Option<ApiKey> {
        ApiKey::from_key(self.request_api_key)
    }
}

impl ResponseHeader {
    /// Reads the header at the start of the response to `api` in `version` and returns the bytes
    /// of the body.
    ///
    /// # Errors
    /// When the bytes are no header.
    pub fn split_frame(
        frame: &[u8],
        api: ApiKey,
        version: i16,
    ) -> Result<(Self, &[u8]), DecodeError> {
        Self::decode_prefix(frame, api.response_header_version(version))
    }
}
