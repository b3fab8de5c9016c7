-- The event log and what lies beside it. A released file is never changed: the next step gets the next number.

-- Whose database this is.
CREATE TABLE vaultstream.identity (
    one     boolean PRIMARY KEY DEFAULT true CHECK (one),
    cluster text    NOT NULL,
    segment bigint  NOT NULL CHECK (segment > 0)
);

-- The registry of shards. Its row is what an append locks, in ascending order and to its commit; the row itself is not
-- changed, so a transaction that somebody leaves open cannot pile up dead versions of it.
CREATE TABLE vaultstream.shard (
    number      integer PRIMARY KEY,
    family      text    NOT NULL,
    k           integer NOT NULL,
    incarnation integer NOT NULL,
    home        text    NOT NULL,
    here        boolean NOT NULL
);

-- The events: only ever inserted. Cut into segments by position, so that the indexes that grow stay small and old
-- segments can be frozen or moved away. A previous hash that is null is the start of the stream.
CREATE TABLE vaultstream.event (
    position bigint  NOT NULL,
    hlc      bigint  NOT NULL,
    sequence bigint  NOT NULL,
    shard    integer NOT NULL,
    stream   text    COLLATE "C" NOT NULL,
    previous bytea,
    hash     bytea   NOT NULL,
    envelope bytea   NOT NULL,
    payload  bytea   NOT NULL,
    PRIMARY KEY (shard, position)
) PARTITION BY RANGE (position);
ALTER TABLE vaultstream.event
    ALTER COLUMN envelope SET STORAGE EXTERNAL,
    ALTER COLUMN payload SET STORAGE EXTERNAL;
CREATE INDEX event_by_stream ON vaultstream.event (stream, sequence) WITH (deduplicate_items = off);

-- The authority on what a stream is at; one row a stream, changed under the lock of the stream's shard only. The sequence
-- is part of the key, and a row is looked for at the sequence it should have: while somebody leaves a transaction open, the
-- versions that cannot be cleared away lie beside that path and not on it. Found by the stream alone they would all be
-- walked over, a tenth of a microsecond each.
CREATE TABLE vaultstream.stream_head (
    stream   text   COLLATE "C" NOT NULL,
    sequence bigint NOT NULL,
    hash     bytea  NOT NULL,
    PRIMARY KEY (stream, sequence)
);

CREATE TABLE vaultstream.snapshot (
    stream       text    COLLATE "C" NOT NULL,
    fold_version bigint  NOT NULL,
    sequence     bigint  NOT NULL,
    hash         bytea   NOT NULL,
    state        bytea   NOT NULL,
    PRIMARY KEY (stream, fold_version)
);

-- Notes and leases are found by name, and do walk over versions that cannot be cleared away. A relay writes a note at most
-- 20 times a second, so a minute leaves 1,200 of one: a tenth of a millisecond for whoever writes it next.
CREATE TABLE vaultstream.note (
    name  text  COLLATE "C" PRIMARY KEY,
    value bytea NOT NULL
) WITH (fillfactor = 70);

CREATE TABLE vaultstream.lease (
    name   text        COLLATE "C" PRIMARY KEY,
    holder text        NOT NULL,
    until  timestamptz NOT NULL
) WITH (fillfactor = 50);

-- Makes the segments that hold positions up to the given one. Attaching takes a lock that appends do not wait for.
CREATE FUNCTION vaultstream.ensure_segments(up_to bigint) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    size bigint;
    last bigint;
BEGIN
    PERFORM pg_advisory_xact_lock(1448307559, 2);
    SELECT segment INTO STRICT size FROM vaultstream.identity;
    last := up_to / size;
    FOR n IN 0 .. last LOOP
        CONTINUE WHEN to_regclass(format('vaultstream.event_%s', n)) IS NOT NULL;
        EXECUTE format('CREATE TABLE vaultstream.event_%s (LIKE vaultstream.event INCLUDING STORAGE)', n);
        EXECUTE format('ALTER TABLE vaultstream.event_%s SET (toast_tuple_target = 8160)', n);
        EXECUTE format('ALTER TABLE vaultstream.event ATTACH PARTITION vaultstream.event_%s FOR VALUES FROM (%s) TO (%s)',
                       n, n * size, (n + 1) * size);
    END LOOP;
    RETURN (last + 1) * size;
END $$;
