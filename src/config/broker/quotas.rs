//! How what clients use is measured.

use core::time::Duration;

use crate::config::error::SettingError;
use crate::config::reader::Reader;

/// How what clients use is measured.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct QuotaSettings {
    /// Windows that are remembered, the current one included.
    pub windows: u32,
    /// The length of each.
    pub window: Duration,
}

pub(super) fn read(reader: &Reader<'_>) -> Result<QuotaSettings, SettingError> {
    let seconds: u32 = reader.whole("quota.window.size.seconds")?;
    Ok(QuotaSettings {
        windows: reader.whole("quota.window.num")?,
        window: Duration::from_secs(seconds.into()),
    })
}
