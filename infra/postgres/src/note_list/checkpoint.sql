-- The list of signed checkpoints, in a database that keeps no log.
CREATE SCHEMA vaultstream_checkpoints;

-- Whose list this is.
CREATE TABLE vaultstream_checkpoints.identity (
    one     boolean PRIMARY KEY DEFAULT true CHECK (one),
    cluster text    NOT NULL
);

CREATE TABLE vaultstream_checkpoints.checkpoint (
    number     bigint      PRIMARY KEY CHECK (number > 0),
    note       text        NOT NULL,
    written_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE FUNCTION vaultstream_checkpoints.refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'checkpoints are never changed or removed';
END $$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON vaultstream_checkpoints.checkpoint
    FOR EACH STATEMENT EXECUTE FUNCTION vaultstream_checkpoints.refuse();
