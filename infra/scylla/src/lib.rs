//! The cluster's view store on ScyllaDB.
