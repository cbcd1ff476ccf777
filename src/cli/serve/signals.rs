//! Ctrl-C and SIGTERM: the first asks the broker to end, the second ends it.

use std::{io, process, thread};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator;

use super::service;
use crate::runtime::Stopper;

/// What shells report of a process that a signal ended, less the signal's number.
const EXIT_BASE: i32 = 128;

/// The signals that end a broker, kept until somebody looks.
pub(super) struct Signals(iterator::Signals);

impl Signals {
    pub(super) fn register() -> io::Result<Self> {
        iterator::Signals::new([SIGINT, SIGTERM]).map(Self)
    }

    /// Hands signals to a broker from now on.
    pub(super) fn stop_on(mut self, stopper: Stopper) {
        thread::spawn(move || {
            let mut asked = false;
            for signal in self.0.forever() {
                if asked {
                    // Nothing is lost by it that was acknowledged: the next start recovers.
                    process::exit(EXIT_BASE + signal);
                }
                asked = true;
                service::stopping();
                stopper.stop();
            }
        });
    }
}
