-- The gate of event versions: who is alive and reads what, and what may be written.
CREATE TABLE vaultstream.process (
    name  text        COLLATE "C" PRIMARY KEY,
    reads jsonb       NOT NULL,
    until timestamptz NOT NULL
) WITH (fillfactor = 50);

-- The gate never closes: a version only rises.
CREATE TABLE vaultstream.event_version (
    event_type text    COLLATE "C" PRIMARY KEY,
    version    integer NOT NULL
);

-- Announces a process and answers what may be written, in one step: announcements take turns, so an old process is either
-- seen by whoever opens the gate, or sees that it was opened.
CREATE FUNCTION vaultstream.announce(p_name text, p_reads jsonb, p_ttl bigint) RETURNS jsonb LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(1448307559, 3);
    DELETE FROM vaultstream.process WHERE until <= clock_timestamp();
    INSERT INTO vaultstream.process AS p (name, reads, until)
    VALUES (p_name, p_reads, clock_timestamp() + p_ttl * interval '1 microsecond')
    ON CONFLICT (name) DO UPDATE SET reads = excluded.reads, until = excluded.until;
    -- What everybody reads: of each type the lowest version, when nobody is without it.
    INSERT INTO vaultstream.event_version AS v (event_type, version)
    SELECT r.key, min(r.value::integer)
    FROM vaultstream.process p CROSS JOIN LATERAL jsonb_each_text(p.reads) r
    GROUP BY r.key HAVING count(*) = (SELECT count(*) FROM vaultstream.process)
    ON CONFLICT (event_type) DO UPDATE SET version = excluded.version WHERE v.version < excluded.version;
    RETURN (SELECT coalesce(jsonb_object_agg(event_type, version), '{}') FROM vaultstream.event_version);
END $$;
