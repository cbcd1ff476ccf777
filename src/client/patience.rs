//! How long something is tried again, and how fast.

use core::time::Duration;
use std::thread;
use std::time::Instant;

use super::ClientError;

const PAUSE_MIN: Duration = Duration::from_millis(20);
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// Counts the time since something last worked, and pauses between attempts, longer each time.
#[derive(Debug)]
pub struct Patience {
    limit: Duration,
    since: Instant,
    pause: Duration,
}

impl Patience {
    /// Gives up after `limit` without success.
    pub fn new(limit: Duration) -> Self {
        Self { limit, since: Instant::now(), pause: PAUSE_MIN }
    }

    /// Something worked: the time starts again.
    pub fn progressed(&mut self) {
        self.since = Instant::now();
        self.pause = PAUSE_MIN;
    }

    /// The time left, none once it is over.
    pub fn left(&self) -> Option<Duration> {
        self.limit.checked_sub(self.since.elapsed()).filter(|left| !left.is_zero())
    }

    /// Pauses after a failure.
    ///
    /// # Errors
    /// The failure itself when it will not go away, or when the time is over.
    pub fn after(&mut self, error: ClientError) -> Result<(), ClientError> {
        if !error.is_retriable() {
            return Err(error);
        }
        let Some(left) = self.left() else {
            let seconds = self.limit.as_secs();
            return Err(ClientError::TimedOut { seconds, last: Box::new(error) });
        };
        thread::sleep(self.pause.min(left));
        self.pause = PAUSE_MAX.min(self.pause * 2);
        Ok(())
    }
}
