//! The cluster's event log, snapshots, progress and leases on PostgreSQL.
