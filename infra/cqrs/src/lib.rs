//! Deciders as cqrs-es aggregates.
