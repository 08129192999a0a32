//! The devices that trials run on at the same time.

use std::collections::HashMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use kinetograph::Engine;
use libtest_mimic::Failed;

/// Devices of one adapter. Most of a run is compiling, which a software adapter does on one core and for each device
/// anew: as many trials run at once as there are devices, and those that share kernels run on the same one.
pub(crate) struct Devices {
    state: Mutex<State>,
    freed: Condvar,
}

struct State {
    free: Vec<Option<Engine>>,
    /// How many trials wait for each.
    waiting: Vec<usize>,
}

impl Devices {
    pub(crate) fn new(engines: Vec<Engine>) -> Devices {
        let waiting = vec![0; engines.len()];
        let free = engines.into_iter().map(Some).collect();
        Devices { state: Mutex::new(State { free, waiting }), freed: Condvar::new() }
    }

    pub(crate) fn count(&self) -> usize {
        self.state().waiting.len()
    }

    /// Runs a trial on a device that no other trial uses: the given one, or one that nobody wants.
    pub(crate) fn run(
        &self,
        wanted: usize,
        trial: impl FnOnce(&Engine) -> Result<(), Failed>,
    ) -> Result<(), Failed> {
        let (mine, engine) = self.take(wanted);
        let result = trial(&engine);
        self.state().free[mine] = Some(engine);
        self.freed.notify_all();
        result
    }

    fn take(&self, wanted: usize) -> (usize, Engine) {
        let mut state = self.state();
        loop {
            let State { free, waiting } = &mut *state;
            let others = (0..free.len()).filter(|&i| i != wanted && waiting[i] == 0);
            for i in [wanted].into_iter().chain(others) {
                if let Some(engine) = free[i].take() {
                    return (i, engine);
                }
            }
            state.waiting[wanted] += 1;
            state = self.freed.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.waiting[wanted] -= 1;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Gives all that has the same key the same of so many devices, as evenly as it goes, and takes from each device's in turn.
pub(crate) fn share_out<T>(all: Vec<T>, devices: usize, key: impl Fn(&T) -> String) -> Vec<(usize, T)> {
    let mut sizes: HashMap<String, usize> = HashMap::new();
    for one in &all {
        *sizes.entry(key(one)).or_default() += 1;
    }
    let mut order: Vec<_> = sizes.into_iter().collect();
    order.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    let mut load = vec![0; devices];
    let mut device_of = HashMap::new();
    for (key, size) in order {
        let least = (0..devices).min_by_key(|&d| load[d]).unwrap_or(0);
        load[least] += size;
        device_of.insert(key, least);
    }
    let mut queues: Vec<Vec<T>> = (0..devices).map(|_| Vec::new()).collect();
    for one in all {
        queues[device_of[&key(&one)]].push(one);
    }
    let mut shared = Vec::new();
    let mut queues: Vec<_> = queues.into_iter().map(Vec::into_iter).collect();
    loop {
        let before = shared.len();
        for (device, queue) in queues.iter_mut().enumerate() {
            shared.extend(queue.next().map(|one| (device, one)));
        }
        if shared.len() == before {
            return shared;
        }
    }
}
