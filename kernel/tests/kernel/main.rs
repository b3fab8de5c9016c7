//! The kernel on the real embedded log, with faults put between them.

mod admission;
mod archive;
mod executor;
mod fair_leases;
mod faults;
mod load;
mod marks;
mod node;
mod relay;
mod sealer;
mod tailer;
