//! Sagas and watchers.
