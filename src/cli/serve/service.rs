//! What the service manager is told, if one started the broker (sd_notify(3)). Nobody else hears it,
//! and a broker whose manager does not listen goes on.

use std::thread;

use sd_notify::NotifyState;

use crate::runtime::Observer;

/// The broker serves. From now on a manager that watches it hears that every core answers.
pub(super) fn ready(observer: Observer) {
    tell(&[NotifyState::Ready]);
    let Some(interval) = sd_notify::watchdog_enabled() else { return };
    let pause = interval / 3;
    let watch = move || {
        loop {
            // A core that was late once may have had a reason: the manager has a patience of its own.
            if observer.stage(pause).is_some() {
                tell(&[NotifyState::Watchdog]);
            }
            thread::sleep(pause);
        }
    };
    // Without the thread the manager ends a broker that it hears nothing of.
    if let Err(error) = thread::Builder::new().name("watchdog".to_owned()).spawn(watch) {
        tracing::error!(%error, "no thread for the watchdog");
    }
}

/// The broker ends.
pub(super) fn stopping() {
    tell(&[NotifyState::Stopping]);
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(%error, "the service manager does not listen");
    }
}
