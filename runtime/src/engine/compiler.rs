//! The threads that compile.

use std::any::Any;
use std::{io, thread};

use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::sync::{Mutex, lock};

/// The stack of each thread that compiles, whatever the environment says. Cranelift walks what nests with recursion in
/// places; the worst admitted modules need less than a sixteenth of this.
const STACK_BYTES: usize = 8 << 20;

/// The most threads that compile: a module of usual size is not worth more, and each takes memory of its own.
const THREADS_MAX: usize = 8;

/// Compiles one module at a time, so that what all of it takes of memory is what the worst module takes.
#[derive(Debug, Default)]
pub(super) struct Compiler {
    threads: Mutex<Option<ThreadPool>>,
}

impl Compiler {
    /// Does what the caller wants compiled on the compiler's threads, after what others want; what it panics with is the
    /// inner error.
    ///
    /// The caller may be a worker in the middle of a transaction, deep in a call stack. A thread of a rayon pool that
    /// waits for another pool takes other work of its own meanwhile: it would start a second transaction on top of the
    /// first one. So a thread of no pool waits, and this one sleeps.
    ///
    /// # Errors
    /// If threads cannot be started.
    pub(super) fn run<R: Send>(
        &self,
        work: impl FnOnce() -> R + Send,
    ) -> io::Result<Result<R, Box<dyn Any + Send>>> {
        let mut threads = lock(&self.threads);
        let threads = match &mut *threads {
            Some(threads) => threads,
            none => none.insert(start()?),
        };
        thread::scope(|scope| {
            let waiting = thread::Builder::new().name("kempe-compile".into());
            let waiting = waiting.spawn_scoped(scope, || threads.install(work))?;
            Ok(waiting.join())
        })
    }
}

fn start() -> io::Result<ThreadPool> {
    let n_cores = thread::available_parallelism().map_or(1, Into::into);
    ThreadPoolBuilder::new()
        .num_threads(n_cores.min(THREADS_MAX))
        .stack_size(STACK_BYTES)
        .thread_name(|at| format!("kempe-compile-{at}"))
        .build()
        .map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use rayon::prelude::*;

    use super::*;

    /// A mebibyte less than there is.
    const DEPTH: usize = STACK_BYTES - (1 << 20);

    /// Goes down the stack, and says how far below `top` it got.
    fn dive(top: usize) -> usize {
        let frame = [0_u8; 4096];
        let depth = top.abs_diff(std::hint::black_box(&frame).as_ptr().addr());
        let deepest = if depth < DEPTH { dive(top) } else { depth };
        // Behind the call, so that the frame stays as long as it.
        std::hint::black_box(&frame);
        deepest
    }

    #[test]
    fn each_thread_has_the_stack_that_is_chosen_and_survives_a_panic() {
        let compiler = Compiler::default();
        let panicked = compiler.run(|| (0..100).into_par_iter().for_each(|at| assert_ne!(at, 50)));
        assert!(panicked.unwrap().is_err());
        let depths = compiler.run(|| {
            let dives = (0..100).into_par_iter().map(|_| {
                let name = thread::current().name().unwrap_or_default().to_owned();
                assert!(name.starts_with("kempe-compile-"), "{name}");
                let top = 0_u8;
                dive(std::ptr::from_ref(&top).addr())
            });
            dives.collect::<Vec<_>>()
        });
        let depths = depths.unwrap().unwrap();
        assert!(depths.iter().all(|depth| *depth >= DEPTH));
    }

    /// Who waits for the compiler must not take other work of its pool, or a transaction would start inside another.
    #[test]
    fn who_waits_takes_nothing_else() {
        let compiler = Compiler::default();
        let workers = ThreadPoolBuilder::new().num_threads(2).build().unwrap();
        let busy = workers.broadcast(|_| Mutex::new(()));
        workers.install(|| {
            (0..200).into_par_iter().for_each(|_| {
                let at = rayon::current_thread_index().unwrap();
                let alone = busy[at].try_lock().expect("nothing else has begun on this thread");
                compiler.run(thread::yield_now).unwrap().unwrap();
                drop(alone);
            });
        });
    }
}
