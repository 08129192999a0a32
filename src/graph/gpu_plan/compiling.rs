//! Compiling the pipelines of a plan while it is made.

use std::collections::{HashSet, VecDeque};
use std::num::NonZero;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Scope, available_parallelism};

use crate::error::{At, Result};
use crate::gpu::{Gpu, PipelineKey};
use crate::graph::Dispatch;

/// The pipelines that a plan wants, each compiled once, by threads other than the one that makes the plan: as many at a
/// time as there are cores, and while weights are packed and uploaded.
pub(super) struct Compiling<'scope, 'env> {
    gpu: &'env Gpu,
    scope: &'scope Scope<'scope, 'env>,
    wanted: HashSet<PipelineKey>,
    queue: Arc<Mutex<Queue<'env>>>,
    /// The number of a pipeline in the order in which they were wanted, and what came of it.
    sender: Sender<(usize, Result<()>)>,
    results: Receiver<(usize, Result<()>)>,
}

type Job<'env> = Box<dyn FnOnce() + Send + 'env>;

#[derive(Default)]
struct Queue<'env> {
    jobs: VecDeque<Job<'env>>,
    threads: usize,
}

impl<'scope, 'env> Compiling<'scope, 'env> {
    pub(super) fn new(gpu: &'env Gpu, scope: &'scope Scope<'scope, 'env>) -> Self {
        let (sender, results) = channel();
        Compiling { gpu, scope, wanted: HashSet::new(), queue: Arc::default(), sender, results }
    }

    /// Sees to it that a dispatch of this node will find its pipeline.
    pub(super) fn start(&mut self, node: &str, dispatch: &Dispatch) {
        if self.gpu.has_pipeline(&dispatch.key) || !self.wanted.insert(dispatch.key.clone()) {
            return;
        }
        let (gpu, number, node) = (self.gpu, self.wanted.len(), node.to_owned());
        let (kernel, key, fields) = (dispatch.kernel, dispatch.key.clone(), dispatch.fields);
        let sender = self.sender.clone();
        let job: Job<'env> = Box::new(move || {
            let compiled = gpu.pipeline(kernel, &key, fields).at(node).map(drop);
            // Nobody waits for it any more if another step has failed.
            let _ = sender.send((number, compiled));
        });
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        queue.jobs.push_back(job);
        if queue.threads < available_parallelism().map_or(1, NonZero::get) {
            queue.threads += 1;
            let queue = self.queue.clone();
            self.scope.spawn(move || while next(&queue).map(|job| job()).is_some() {});
        }
    }

    /// Waits until all are compiled, telling how many are.
    ///
    /// # Errors
    /// That of the first that was wanted, if several cannot be compiled.
    pub(super) fn finish(self, progress: impl Fn(usize, usize)) -> Result<()> {
        let Compiling { wanted, sender, results, .. } = self;
        drop(sender);
        let mut first: Option<(usize, Result<()>)> = None;
        for (done, (number, compiled)) in results.iter().enumerate() {
            progress(done + 1, wanted.len());
            if compiled.is_err() && first.as_ref().is_none_or(|(least, _)| number < *least) {
                first = Some((number, compiled));
            }
        }
        first.map_or(Ok(()), |(_, compiled)| compiled)
    }
}

/// The next job, or none and a thread less.
fn next<'env>(queue: &Mutex<Queue<'env>>) -> Option<Job<'env>> {
    let mut queue = queue.lock().unwrap_or_else(PoisonError::into_inner);
    let job = queue.jobs.pop_front();
    queue.threads -= usize::from(job.is_none());
    job
}
