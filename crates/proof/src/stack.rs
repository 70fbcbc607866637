//! A large stack. Rules nest, and what reads them and what is made of them recurse without looking at
//! what is left, so all of it happens on threads of their own.

use std::thread;

/// The same measure as for loading a policy, whose limits hold here too. Only what is used is ever
/// backed by memory.
const STACK: usize = 128 << 20;

/// Runs `work` on a thread of its own and waits for it; nothing when that could not be done. A fault in
/// a library ends that thread and not Quell.
pub(crate) fn large<T: Send>(work: impl FnOnce() -> T + Send) -> Option<T> {
    thread::scope(|scope| {
        let thread = thread::Builder::new()
            .name("proof".into())
            .stack_size(STACK)
            .spawn_scoped(scope, work)
            .ok()?;
        thread.join().ok()
    })
}
