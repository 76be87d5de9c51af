-- Adds events of an archive file to `events_archive`; returns how many were missing. An event that is there already must be
-- the same. `rows` is an array of events; the caller checks at the end that no stream has a gap.
create function journal_restore_archive(rows jsonb)
returns bigint language plpgsql set search_path from current as $$
declare
    restored bigint;
    differing record;
begin
    perform set_config('journal.archiving', pg_current_xact_id()::text, true);
    create temporary table if not exists restored_event (like events_archive) on commit drop;
    truncate pg_temp.restored_event;
    insert into pg_temp.restored_event (
        aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata, position, recorded_at, event_id
    )
    select aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata, position, recorded_at,
        event_id
    from jsonb_to_recordset(rows) as given (
        aggregate_type text, aggregate_id text, sequence bigint, event_type text, event_version text, payload jsonb,
        metadata jsonb, position bigint, recorded_at timestamptz, event_id uuid
    );

    select given.position, given.aggregate_type, given.aggregate_id, given.sequence into differing
    from pg_temp.restored_event as given
    cross join lateral (
        select * from event_log where event_log.position = given.position
        union all
        select * from event_log where event_log.event_id = given.event_id
        union all
        select * from event_log
        where event_log.aggregate_type = given.aggregate_type
            and event_log.aggregate_id = given.aggregate_id
            and event_log.sequence = given.sequence
    ) as known
    where (
            known.aggregate_type, known.aggregate_id, known.sequence, known.event_type, known.event_version,
            known.payload, known.metadata, known.position, known.recorded_at, known.event_id
        ) is distinct from (
            given.aggregate_type, given.aggregate_id, given.sequence, given.event_type, given.event_version,
            given.payload, given.metadata, given.position, given.recorded_at, given.event_id
        )
    order by given.position
    limit 1;
    if found then
        raise exception 'the event at position % (%/%, sequence %) differs from the one in the log',
            differing.position, differing.aggregate_type, differing.aggregate_id, differing.sequence
            using errcode = 'PJ005';
    end if;
    select given.position into differing
    from pg_temp.restored_event as given
    where given.position < 1 or given.position > (select position from journal_head)
    order by given.position
    limit 1;
    if found then
        raise exception 'the event at position % is not of this log, which ends before it', differing.position
            using errcode = 'PJ005';
    end if;

    insert into events_archive (
        aggregate_type, aggregate_id, sequence, event_type, event_version,
        payload, metadata, position, recorded_at, event_id
    )
    select
        given.aggregate_type, given.aggregate_id, given.sequence, given.event_type, given.event_version,
        given.payload, given.metadata, given.position, given.recorded_at, given.event_id
    from pg_temp.restored_event as given
    where not exists (select from event_log as known where known.position = given.position);
    get diagnostics restored = row_count;

    insert into archived_number as known (kind, highest)
    select aggregate_type, max(aggregate_id::bigint)
    from pg_temp.restored_event
    where aggregate_id ~ '^[1-9][0-9]{0,17}$'
    group by aggregate_type
    on conflict (kind) do update set highest = excluded.highest where known.highest < excluded.highest;
    return restored;
end
$$;
