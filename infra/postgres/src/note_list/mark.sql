-- The list of signed marks, beside the checkpoints and away from the log.
CREATE TABLE vaultstream_checkpoints.mark (
    number     bigint      PRIMARY KEY CHECK (number > 0),
    note       text        NOT NULL,
    written_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE FUNCTION vaultstream_checkpoints.refuse_mark() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' AND OLD.number < (SELECT max(number) FROM vaultstream_checkpoints.mark) THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION 'marks are never changed, and the newest is never removed';
END $$;
CREATE TRIGGER never_changed BEFORE UPDATE OR DELETE ON vaultstream_checkpoints.mark
    FOR EACH ROW EXECUTE FUNCTION vaultstream_checkpoints.refuse_mark();
CREATE TRIGGER never_emptied BEFORE TRUNCATE ON vaultstream_checkpoints.mark
    FOR EACH STATEMENT EXECUTE FUNCTION vaultstream_checkpoints.refuse_mark();
