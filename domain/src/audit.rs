//! The audit context: what auditors read, on record.

mod trail;

pub use trail::{
    AuditTrail, AuditTrailCommand, AuditTrailError, AuditTrailEvent, AuditTrailState, MAX_TYPES, RecordRead,
    trail_id,
};
