-- Appends the events, answers and side writes of a batch of commands: all of them or none.
-- Stores nothing unless the log still ends at `expected_position`; returns where the log ends now.
create function journal_append(
    expected_position bigint,
    expected_epoch bigint,
    aggregate_types text[],
    aggregate_ids text[],
    sequences bigint[],
    event_types text[],
    event_versions text[],
    payloads text[],
    metadatas text[],
    event_ids uuid[],
    idempotency_rows jsonb,
    side_writes jsonb,
    out appended boolean,
    out head_position bigint,
    out head_epoch bigint
) language plpgsql set search_path from current as $$
declare
    event_count bigint := cardinality(event_ids);
    now_recorded timestamptz;
begin
    update journal_head as head
    set position = head.position + event_count,
        recorded_at = greatest(clock_timestamp(), head.recorded_at)
    where head.position = expected_position and head.epoch = expected_epoch
    returning head.position, head.epoch, head.recorded_at
    into head_position, head_epoch, now_recorded;
    appended := found;
    if not appended then
        select head.position, head.epoch into head_position, head_epoch from journal_head as head;
        return;
    end if;

    if event_count > 0 then
        insert into events (
            aggregate_type, aggregate_id, sequence, event_type, event_version,
            payload, metadata, position, recorded_at, event_id
        )
        select
            fresh.aggregate_type, fresh.aggregate_id, fresh.sequence, fresh.event_type, fresh.event_version,
            fresh.payload::jsonb, fresh.metadata::jsonb, expected_position + fresh.place, now_recorded, fresh.event_id
        from unnest(
            aggregate_types, aggregate_ids, sequences, event_types, event_versions, payloads, metadatas, event_ids
        ) with ordinality as fresh (
            aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata, event_id, place
        );
    end if;

    if idempotency_rows is not null then
        delete from idempotency as stored
        using jsonb_to_recordset(idempotency_rows) as fresh (key_digest text)
        where stored.key_digest = fresh.key_digest
            and stored.recorded_at < now_recorded - interval '24 hours';
        insert into idempotency (key_digest, fingerprint, answer, position, recorded_at)
        select key_digest, decode(fingerprint, 'hex'), answer, position, now_recorded
        from jsonb_to_recordset(idempotency_rows)
            as fresh (key_digest text, fingerprint text, answer jsonb, position bigint);
    end if;

    if side_writes is not null then
        perform store_side_writes(side_writes, now_recorded);
    end if;
end
$$;
