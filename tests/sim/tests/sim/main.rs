//! The simulator's tests: the models against the ports' contracts, seeds, planted bugs, the saga's property.

mod conformance;
mod planted;
mod saga;
mod seeds;
