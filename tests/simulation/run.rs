//! One run of the simulator, and many on all cores.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use millstream::planted::{Bug, plant};
use millstream::sim::{self, RunReport, Violation};

/// Faults planned per seed.
const FAULTS: u32 = 20;
/// What a broken invariant of the broker counts as.
pub(crate) const ASSERTION: &str = "assertion";

thread_local! {
    static PANIC: RefCell<String> = const { RefCell::new(String::new()) };
}

/// A panic is a way to fail like any other: its message goes to the violation, not to the terminal.
pub(crate) fn quiet_panics() {
    std::panic::set_hook(Box::new(|info| {
        PANIC.with_borrow_mut(|message| *message = info.to_string().replace('\n', " "));
    }));
}

/// What to run.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) seed: u64,
    /// Which of the seed's faults, by their place in the list; all when `None`.
    pub(crate) faults: Option<Vec<usize>>,
    pub(crate) bug: Option<Bug>,
}

impl Case {
    pub(crate) fn of(seed: u64) -> Self {
        Self { seed, faults: None, bug: None }
    }

    fn config(&self) -> sim::RunConfig {
        let mut config = sim::config_of(self.seed, FAULTS);
        if let Some(kept) = &self.faults {
            config.faults = kept.iter().filter_map(|at| config.faults.get(*at).copied()).collect();
        }
        config
    }

    /// The faults as they are planned, each with its place in the list.
    pub(crate) fn planned(&self) -> Vec<(usize, sim::Planned)> {
        let all = sim::config_of(self.seed, FAULTS).faults.into_iter().enumerate();
        let kept = |at: &usize| self.faults.as_ref().is_none_or(|kept| kept.contains(at));
        all.filter(|(at, _)| kept(at)).collect()
    }

    pub(crate) fn run(&self) -> Result<RunReport, Violation> {
        plant(self.bug);
        let result = catch_unwind(AssertUnwindSafe(|| sim::run(self.config())));
        plant(None);
        result.unwrap_or_else(|_| {
            let message = PANIC.with_borrow_mut(std::mem::take);
            Err(Violation { property: ASSERTION, message })
        })
    }
}

/// Does `work` for every item on all cores; the results in the order of the items. A run of the
/// simulator stays on one thread.
pub(crate) fn parallel<I: Sync, T: Send>(items: &[I], work: impl Fn(&I) -> T + Sync) -> Vec<T> {
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::new());
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some(item) = items.get(at) else { break };
                    let result = work(item);
                    done.lock().expect("no panic holds it").push((at, result));
                }
            });
        }
    });
    let mut done = done.into_inner().expect("no panic holds it");
    done.sort_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, result)| result).collect()
}

/// The command line.
#[derive(Debug)]
pub(crate) struct Arguments(Vec<String>);

impl Arguments {
    pub(crate) fn of_process() -> Self {
        Self(std::env::args().skip(1).collect())
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|argument| argument == name)
    }

    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        let at = self.0.iter().position(|argument| argument == name)?;
        self.0.get(at + 1).map(String::as_str)
    }

    pub(crate) fn number(&self, name: &str) -> Option<u64> {
        self.text(name).map(|text| text.parse().expect("a number"))
    }
}
