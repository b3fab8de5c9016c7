-- The log as the seven columns that postgres-es reads, and nothing it could write to: aggregates are named by the text
-- of their stream's id, the payload is {type, version, data}, the metadata flat strings.
CREATE TABLE vaultstream.stream_kind (
    prefix text COLLATE "C" PRIMARY KEY,
    word   text NOT NULL
);

CREATE VIEW vaultstream.stock_event AS
SELECT k.word                  AS aggregate_type,
       e.stream                AS aggregate_id,
       e.sequence              AS sequence,
       j.envelope ->> 'type'   AS event_type,
       j.envelope ->> 'version' AS event_version,
       json_build_object('type', j.envelope -> 'type', 'version', j.envelope -> 'version',
                         'data', convert_from(e.payload, 'UTF8')::json) AS payload,
       json_strip_nulls(json_build_object(
           'actor', j.envelope ->> 'actor', 'causation', j.envelope ->> 'causation',
           'command', j.envelope ->> 'command', 'hlc', e.hlc::text,
           'incarnation', j.envelope ->> 'incarnation', 'occurredAt', j.envelope ->> 'occurred_at',
           'organization', j.envelope ->> 'organization', 'position', e.position::text,
           'shard', j.envelope ->> 'shard', 'trace', j.envelope ->> 'trace')) AS metadata
FROM vaultstream.event e
JOIN vaultstream.stream_kind k ON k.prefix = split_part(e.stream, '_', 1)
CROSS JOIN LATERAL (SELECT convert_from(e.envelope, 'UTF8')::jsonb AS envelope) j;
