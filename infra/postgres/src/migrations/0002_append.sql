-- Appending a batch. One call is one statement and one transaction:
--
--   1. lock the rows of its shards, in ascending order; every later statement in here sees what the last holder committed;
--   2. read where the shards stand: their last events;
--   3. compare the streams with what the commands expect, all at once;
--   4. everything as expected: number, stamp and insert all at once;
--   5. else judge command by command, in order and in memory, and insert what was accepted all at once.
--
-- Position and hlc follow from the shard's last event: position + n, max(hlc + 4, now) + 4 (n - 1). In case 4 the answer
-- is only where each shard stood and its first stamp (position, hlc); in case 5 also one verdict a command: 0 committed
-- (first, last), 1 conflict (stream's slot in first, its version in last), 2 clock ahead, 3 committed before (first,
-- last); and the stamps of all committed events in the order of the commands.
--
-- Arrays become rows by unnest in the select list: in the FROM list each of them would be written to a store of its own
-- first, which took three times as long.
CREATE FUNCTION vaultstream.append(
    p_now bigint, p_wall bigint, p_chained boolean, p_grown boolean,
    p_shard integer[], p_incarnation integer[], p_count integer[],
    s_stream text[], s_expected bigint[], s_previous bytea[], s_sequence bigint[], s_hash bytea[],
    k_shard integer[], k_parts integer[], k_events integer[],
    c_stream integer[], c_expected bigint[], c_count integer[],
    e_shard integer[], e_ordinal integer[], e_stream text[], e_sequence bigint[], e_previous bytea[],
    e_hash bytea[], e_envelope bytea[], e_payload bytea[],
    OUT r_position bigint[], OUT r_hlc bigint[], OUT r_verdict integer[], OUT r_first bigint[], OUT r_last bigint[],
    OUT r_stamps bigint[]
) LANGUAGE plpgsql AS $$
DECLARE
    minute CONSTANT bigint := 60000000;
    genesis CONSTANT bytea := '\x0000000000000000000000000000000000000000000000000000000000000000';
    v_now bigint;
    v_incarnation integer[];
    v_agree bigint;
    v_ahead boolean;
    -- Of the shards, by slot: where they stand while commands are judged.
    v_position bigint[];
    v_last bigint[];
    -- Of the streams, by slot: what they were at before (0: nowhere), what they are at, and whether they were written.
    v_before bigint[];
    v_sequence bigint[];
    v_hash bytea[];
    v_written boolean[];
    -- Of the events: where they are put; null for those of a command that was not accepted.
    v_places bigint[];
    v_stamps bigint[];
    v_part integer := 0;
    v_event integer := 0;
    v_bad integer;
    v_slot integer;
    v_at integer;
    v_found bigint[];
    v_found_stamps bigint[];
BEGIN
    SELECT array_agg(l.incarnation ORDER BY l.number) INTO v_incarnation
    FROM (SELECT number, incarnation FROM vaultstream.shard
          WHERE number = ANY (p_shard) AND here ORDER BY number FOR NO KEY UPDATE) l;
    IF v_incarnation IS DISTINCT FROM p_incarnation THEN
        IF coalesce(array_length(v_incarnation, 1), 0) <> array_length(p_shard, 1) THEN
            RAISE EXCEPTION 'a shard of % is not kept in this database', p_shard USING ERRCODE = 'VS002';
        END IF;
        FOR i IN 1 .. array_length(p_shard, 1) LOOP
            IF v_incarnation[i] <> p_incarnation[i] THEN
                RAISE EXCEPTION 'shard % is in another incarnation', p_shard[i]
                    USING ERRCODE = 'VS001', DETAIL = concat_ws(' ', p_shard[i], v_incarnation[i], p_incarnation[i]);
            END IF;
        END LOOP;
    END IF;

    v_now := coalesce(p_now, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint);
    SELECT array_agg(coalesce(e.position, 0) ORDER BY s.n),
           array_agg(coalesce(e.hlc, 0) ORDER BY s.n),
           array_agg(greatest(coalesce(e.hlc, 0) + 4, v_now) ORDER BY s.n),
           bool_or(c.count > 0 AND greatest(coalesce(e.hlc, 0) + 4, v_now) + 4 * (c.count - 1) > v_now + minute)
    INTO r_position, v_last, r_hlc, v_ahead
    FROM unnest(p_shard, p_count) WITH ORDINALITY AS s(shard, count, n)
    CROSS JOIN LATERAL (SELECT s.count) c
    LEFT JOIN LATERAL (SELECT position, hlc FROM vaultstream.event
                       WHERE shard = s.shard ORDER BY position DESC LIMIT 1) e ON true;

    IF p_chained AND NOT v_ahead AND (p_now IS NOT NULL OR v_now <= p_wall + minute) THEN
        SELECT count(*) INTO v_agree
        FROM (SELECT unnest(s_stream) AS stream, unnest(s_expected) AS expected, unnest(s_previous) AS previous) s
        LEFT JOIN vaultstream.stream_head h ON h.stream = s.stream AND h.sequence >= s.expected
        WHERE coalesce(h.sequence, 0) = s.expected AND (s.previous IS NULL OR h.hash = s.previous);
        IF v_agree = array_length(s_stream, 1) THEN
            INSERT INTO vaultstream.event (position, hlc, sequence, shard, stream, previous, hash, envelope, payload)
            SELECT r_position[e.shard] + e.ordinal, r_hlc[e.shard] + 4 * (e.ordinal - 1), e.sequence,
                   p_shard[e.shard], e.stream, e.previous, e.hash, e.envelope, e.payload
            FROM (SELECT unnest(e_shard) AS shard, unnest(e_ordinal) AS ordinal, unnest(e_stream) AS stream,
                         unnest(e_sequence) AS sequence, unnest(e_previous) AS previous, unnest(e_hash) AS hash,
                         unnest(e_envelope) AS envelope, unnest(e_payload) AS payload) e;
            INSERT INTO vaultstream.stream_head (stream, sequence, hash)
            SELECT s.stream, s.sequence, s.hash
            FROM (SELECT unnest(s_stream) AS stream, unnest(s_expected) AS expected, unnest(s_sequence) AS sequence,
                         unnest(s_hash) AS hash) s
            WHERE s.expected = 0 AND s.hash IS NOT NULL;
            IF p_grown THEN
                UPDATE vaultstream.stream_head h SET sequence = s.sequence, hash = s.hash
                FROM (SELECT unnest(s_stream) AS stream, unnest(s_expected) AS expected,
                             unnest(s_sequence) AS sequence, unnest(s_hash) AS hash) s
                WHERE h.stream = s.stream AND h.sequence = s.expected AND s.expected > 0 AND s.hash IS NOT NULL;
            END IF;
            RETURN;
        END IF;
    END IF;

    SELECT array_agg(coalesce(h.sequence, 0) ORDER BY s.n), array_agg(coalesce(h.hash, genesis) ORDER BY s.n),
           array_agg(false)
    INTO v_before, v_hash, v_written
    FROM unnest(s_stream) WITH ORDINALITY AS s(stream, n)
    LEFT JOIN LATERAL (SELECT sequence, hash FROM vaultstream.stream_head
                       WHERE stream = s.stream ORDER BY sequence DESC LIMIT 1) h ON true;
    v_sequence := v_before;
    v_position := r_position;
    v_places := array_fill(NULL::bigint, ARRAY[greatest(coalesce(array_length(e_hash, 1), 0), 1)]);
    v_stamps := v_places;
    r_verdict := '{}';
    r_first := '{}';
    r_last := '{}';
    r_stamps := '{}';
    FOR k IN 1 .. array_length(k_shard, 1) LOOP
        v_slot := k_shard[k];
        v_bad := 0;
        v_at := v_event;
        FOR p IN v_part + 1 .. v_part + k_parts[k] LOOP
            IF v_sequence[c_stream[p]] <> c_expected[p]
               OR (c_count[p] > 0 AND v_hash[c_stream[p]] <> coalesce(e_previous[v_at + 1], genesis)) THEN
                v_bad := c_stream[p];
                EXIT;
            END IF;
            v_at := v_at + c_count[p];
        END LOOP;
        IF v_bad > 0 THEN
            -- All of its events stand in the log, or were just accepted: then this is the same command again.
            SELECT array_agg(f.position ORDER BY w.n), array_agg(f.hlc ORDER BY w.n) INTO v_found, v_found_stamps
            FROM unnest(e_stream[v_event + 1:v_event + k_events[k]], e_sequence[v_event + 1:v_event + k_events[k]],
                        e_hash[v_event + 1:v_event + k_events[k]]) WITH ORDINALITY AS w(stream, sequence, hash, n)
            CROSS JOIN LATERAL (
                SELECT e.position, e.hlc FROM vaultstream.event e
                WHERE e.stream = w.stream AND e.sequence = w.sequence AND e.hash = w.hash
                UNION ALL
                SELECT j.position, j.hlc FROM unnest(e_hash, v_places, v_stamps) AS j(hash, position, hlc)
                WHERE j.hash = w.hash AND j.position IS NOT NULL) f;
            IF k_events[k] > 0 AND array_length(v_found, 1) = k_events[k] THEN
                r_verdict[k] := 3;
                r_first[k] := v_found[1];
                r_last[k] := v_found[k_events[k]];
                r_stamps := r_stamps || v_found_stamps;
            ELSE
                r_verdict[k] := 1;
                r_first[k] := v_bad;
                r_last[k] := v_sequence[v_bad];
            END IF;
        ELSIF k_events[k] = 0 THEN
            r_verdict[k] := 0;
            r_first[k] := v_position[v_slot];
            r_last[k] := v_position[v_slot];
        ELSIF v_last[v_slot] > v_now + minute OR (p_now IS NULL AND v_now > p_wall + minute) THEN
            r_verdict[k] := 2;
            r_first[k] := 0;
            r_last[k] := 0;
        ELSE
            r_verdict[k] := 0;
            r_first[k] := v_position[v_slot] + 1;
            v_at := v_event;
            FOR e IN v_event + 1 .. v_event + k_events[k] LOOP
                v_position[v_slot] := v_position[v_slot] + 1;
                v_last[v_slot] := greatest(v_last[v_slot] + 4, v_now);
                v_places[e] := v_position[v_slot];
                v_stamps[e] := v_last[v_slot];
                r_stamps := r_stamps || v_last[v_slot];
            END LOOP;
            r_last[k] := v_position[v_slot];
            FOR p IN v_part + 1 .. v_part + k_parts[k] LOOP
                v_at := v_at + c_count[p];
                IF c_count[p] > 0 THEN
                    v_sequence[c_stream[p]] := c_expected[p] + c_count[p];
                    v_hash[c_stream[p]] := e_hash[v_at];
                    v_written[c_stream[p]] := true;
                END IF;
            END LOOP;
        END IF;
        v_part := v_part + k_parts[k];
        v_event := v_event + k_events[k];
    END LOOP;

    INSERT INTO vaultstream.event (position, hlc, sequence, shard, stream, previous, hash, envelope, payload)
    SELECT e.position, e.hlc, e.sequence, p_shard[e.shard], e.stream, e.previous, e.hash, e.envelope, e.payload
    FROM (SELECT unnest(v_places) AS position, unnest(v_stamps) AS hlc, unnest(e_shard) AS shard,
                 unnest(e_stream) AS stream, unnest(e_sequence) AS sequence, unnest(e_previous) AS previous,
                 unnest(e_hash) AS hash, unnest(e_envelope) AS envelope, unnest(e_payload) AS payload) e
    WHERE e.position IS NOT NULL;
    INSERT INTO vaultstream.stream_head (stream, sequence, hash)
    SELECT s.stream, s.sequence, s.hash
    FROM unnest(s_stream, v_before, v_sequence, v_hash, v_written) AS s(stream, before, sequence, hash, written)
    WHERE s.written AND s.before = 0;
    UPDATE vaultstream.stream_head h SET sequence = s.sequence, hash = s.hash
    FROM unnest(s_stream, v_before, v_sequence, v_hash, v_written) AS s(stream, before, sequence, hash, written)
    WHERE h.stream = s.stream AND h.sequence = s.before AND s.written AND s.before > 0;
END $$;
