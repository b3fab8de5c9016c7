//! The tables of the log and the key of an event.
//!
//! An event's row id is its shard and position in one integer, so appends of a shard fall on the end of its range and
//! a scan is one range of one b-tree. The unique index by stream is the only authority on a stream's version: its last
//! entry is the stream's head, so there is no second table that could disagree. Nothing here is ever updated or
//! deleted but snapshots, which are a cache.

use vaultstream_event_schemas::ShardNumber;

use crate::database::FileKind;

/// `VSlg`.
pub(crate) const KIND: FileKind = FileKind {
    application_id: 0x5653_6c67,
    name: "event log",
    migrations: &[VERSION_1],
};

const VERSION_1: &str = "
CREATE TABLE shard (
    number      INTEGER PRIMARY KEY,
    family      TEXT    NOT NULL,
    k           INTEGER NOT NULL,
    incarnation INTEGER NOT NULL
) STRICT;
CREATE TABLE event (
    id       INTEGER PRIMARY KEY,
    stream   BLOB    NOT NULL,
    sequence INTEGER NOT NULL,
    hlc      INTEGER NOT NULL,
    envelope BLOB    NOT NULL,
    payload  BLOB    NOT NULL,
    previous BLOB    NOT NULL,
    hash     BLOB    NOT NULL
) STRICT;
CREATE UNIQUE INDEX event_by_stream ON event (stream, sequence);
CREATE TABLE snapshot (
    stream       BLOB    NOT NULL,
    fold_version INTEGER NOT NULL,
    sequence     INTEGER NOT NULL,
    hash         BLOB    NOT NULL,
    state        BLOB    NOT NULL,
    PRIMARY KEY (stream, fold_version)
) STRICT;
";

/// Appends one event.
pub(crate) const INSERT: &str = "INSERT INTO event (id, stream, sequence, hlc, envelope, payload, previous, hash) \
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
/// The head of a stream.
pub(super) const HEAD: &str =
    "SELECT sequence, hash FROM event WHERE stream = ?1 ORDER BY sequence DESC LIMIT 1";
/// Where one event of a stream stands.
pub(super) const AT: &str = "SELECT id, hlc, hash FROM event WHERE stream = ?1 AND sequence = ?2";
/// The last event of a shard.
pub(crate) const LAST: &str = "SELECT id, hlc FROM event WHERE id BETWEEN ?1 AND ?2 ORDER BY id DESC LIMIT 1";
/// Events of a shard.
pub(super) const BY_SHARD: &str = "SELECT id, hlc, envelope, payload, previous, hash FROM event \
     WHERE id > ?1 AND id <= ?2 ORDER BY id LIMIT ?3";
/// What seals events of a shard, without their payloads.
pub(super) const LEAVES: &str = "SELECT id, hlc, envelope, hash FROM event \
     WHERE id > ?1 AND id <= ?2 ORDER BY id LIMIT ?3";
/// Events of a stream.
pub(super) const BY_STREAM: &str = "SELECT id, hlc, envelope, payload, previous, hash FROM event \
     WHERE stream = ?1 AND sequence > ?2 ORDER BY sequence LIMIT ?3";
/// Keeps a snapshot.
pub(super) const SAVE_SNAPSHOT: &str = "INSERT OR REPLACE INTO snapshot (stream, fold_version, sequence, hash, state) VALUES (?1, ?2, ?3, ?4, ?5)";
/// Reads a snapshot.
pub(super) const LOAD_SNAPSHOT: &str =
    "SELECT sequence, hash, state FROM snapshot WHERE stream = ?1 AND fold_version = ?2";

/// Bits of a row id that hold the position; sixteen more hold the shard, and the sign stays clear.
const POSITION_BITS: u32 = 47;
/// The last position a shard can have.
pub(crate) const MAX_POSITION: u64 = (1 << POSITION_BITS) - 1;

/// The row id of a position; positions beyond the last possible one stand at the end of the shard.
pub(crate) fn row_id(shard: ShardNumber, position: u64) -> i64 {
    (i64::from(shard.0) << POSITION_BITS) | position.min(MAX_POSITION).cast_signed()
}

/// The position in a row id.
pub(crate) const fn position_of(row: i64) -> u64 {
    row.cast_unsigned() & MAX_POSITION
}

/// The shard in a row id.
pub(super) fn shard_of(row: i64) -> ShardNumber {
    ShardNumber(u16::try_from(row.cast_unsigned() >> POSITION_BITS).unwrap_or(u16::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn row_id_should_keep_shard_and_position_apart_at_the_edges() {
        for (shard, position) in [(0, 0), (0, MAX_POSITION), (1, 1), (u16::MAX, MAX_POSITION)] {
            let row = row_id(ShardNumber(shard), position);
            assert!(row >= 0);
            assert_eq!((shard_of(row), position_of(row)), (ShardNumber(shard), position));
        }
        assert!(row_id(ShardNumber(3), MAX_POSITION) < row_id(ShardNumber(4), 0));
        assert_eq!(
            row_id(ShardNumber(3), u64::MAX),
            row_id(ShardNumber(3), MAX_POSITION)
        );
    }
}
