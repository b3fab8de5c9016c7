//! Threads that give way: work that may be late runs on them, so that work somebody waits for is not late for its sake.

use std::io;

use tokio::runtime::{Builder, Runtime};

/// How nice these threads are (`nice(1)`): under full load they get about a third of what others get, and all that others
/// leave.
const NICENESS: i32 = 5;

/// Makes the calling thread give way to others of the machine, for as long as it lives. Where that cannot be done, it
/// stays as it is: late work is then merely less late.
pub fn give_way() {
    if let Err(error) = rustix::process::setpriority_process(Some(rustix::thread::gettid()), NICENESS) {
        tracing::debug!(%error, "a thread keeps its priority");
    }
}

/// A runtime whose threads give way when `gives_way` says so.
///
/// # Errors
/// When the system has no more threads.
pub fn runtime(gives_way: bool) -> io::Result<Runtime> {
    let mut builder = Builder::new_multi_thread();
    builder.enable_all().thread_name("folding");
    if gives_way {
        builder.on_thread_start(give_way);
    }
    builder.build()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_calling_thread_should_give_way() {
        let niceness = || {
            let me = Some(rustix::thread::gettid());
            rustix::process::getpriority_process(me).expect("a priority")
        };
        let before = niceness();
        let inside = std::thread::spawn(move || {
            give_way();
            niceness()
        });
        assert_eq!(inside.join().expect("a thread"), NICENESS.max(before));
        assert_eq!(niceness(), before, "nobody else");
    }
}
