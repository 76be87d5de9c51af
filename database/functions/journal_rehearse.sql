-- Does what `journal_append` does for one dry run, with every constraint and side write, and undoes it.
-- The locks last as long as this statement. A lock that another session holds is not awaited for long, because this one
-- may hold the head of the log meanwhile.
create function journal_rehearse(
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
) language plpgsql set lock_timeout = '500ms' set search_path from current as $$
begin
    select rehearsed.appended, rehearsed.head_position, rehearsed.head_epoch
    into appended, head_position, head_epoch
    from journal_append(
        expected_position, expected_epoch, aggregate_types, aggregate_ids, sequences, event_types, event_versions,
        payloads, metadatas, event_ids, idempotency_rows, side_writes
    ) as rehearsed;
    -- The handler of a block undoes everything that the block has done; its variables keep their values.
    raise exception 'rehearsed' using errcode = 'PJ003';
exception
    when sqlstate 'PJ003' then
        null;
end
$$;
