-- Estimates the highest numbers that a lost part of the log may have given, for each kind in `kinds`.
-- The lost part is as long as the time since the last event; twice as many numbers as in the same time before it are
-- assumed, and 1,000 more.
create function journal_lost_numbers(head_position bigint, head_time timestamptz, kinds jsonb)
returns jsonb language plpgsql stable set search_path from current as $$
declare
    -- Null for an empty log, of which nothing can be counted.
    last_time timestamptz := nullif(head_time, '-infinity');
    since timestamptz := last_time - greatest(clock_timestamp() - last_time, interval '0');
    low bigint := 0;
    high bigint := head_position;
    middle bigint;
begin
    -- Recording times never decrease, so the last event before `since` is found by halving.
    while low < high loop
        middle := (low + high + 1) / 2;
        if exists (select from event_log where position = middle and recorded_at < since) then
            low := middle;
        else
            high := middle - 1;
        end if;
    end loop;
    return (
        select coalesce(jsonb_object_agg(kind, coalesce(highest, 0) + 2 * recent + 1000), '{}')
        from jsonb_object_keys(kinds) as kinds (kind),
        lateral (
            select greatest(
                (
                    select max(aggregate_id::bigint)
                    from events
                    where aggregate_type = kind and sequence = 1 and aggregate_id ~ '^[1-9][0-9]{0,17}$'
                ),
                (select archived.highest from archived_number as archived where archived.kind = kinds.kind)
            ) as highest
        ) as given,
        lateral (
            select count(*) as recent
            from event_log
            where position > low and aggregate_type = kind and sequence = 1
        ) as lost
    );
end
$$;
