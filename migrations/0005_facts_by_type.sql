-- Each fact is a type of event within a range of positions: it is found without reading the events of other types.
create index events_by_type on events (event_type, position);

-- As before, and tells the projections which types of events the batch holds.
-- Moves all live tables by one batch, exactly once: the rows, the position and the check of the lease commit together.
create or replace function projector_step(
    holder uuid,
    holder_epoch bigint,
    time_to_live interval,
    batch_limit bigint,
    out reached bigint,
    out head bigint
) language plpgsql as $$
declare
    lease projector_lease;
    event_count bigint;
    batch_types text[];
    relevant text;
begin
    select * into lease from projector_lease for update;
    if lease.node <> holder or lease.epoch <> holder_epoch then
        raise exception 'the projector''s lease was taken over' using errcode = 'PJ001';
    end if;
    select journal_head.position into head from journal_head;
    reached := least(head, lease.position + batch_limit);

    if reached > lease.position then
        perform set_config('projector.after', lease.position::text, true),
            set_config('projector.upto', reached::text, true);
        select count(*), array_agg(distinct event_type) into event_count, batch_types
        from events
        where position > lease.position and position <= reached;
        if event_count <> reached - lease.position then
            raise exception 'the log has a hole between positions % and %', lease.position + 1, reached
                using errcode = 'PJ002';
        end if;
        perform set_config('projector.types', array_to_string(batch_types, ','), true);
        for relevant in select name from projection where event_types && batch_types order by name loop
            execute format('select live.%I()', 'apply_' || relevant);
        end loop;
    end if;

    if reached > lease.position or lease.last_error is not null
        or lease.expires_at < clock_timestamp() + time_to_live * 0.7 then
        update projector_lease
        set position = reached, expires_at = clock_timestamp() + time_to_live, last_error = null;
    end if;
end
$$;

-- As before, in one pass over the rows.
create or replace function check_positions() returns trigger language plpgsql as $$
declare
    lowest bigint;
    highest bigint;
begin
    select min(position), max(position) into lowest, highest from added;
    if lowest < 1 or highest > (select position from journal_head) then
        raise exception 'positions are given by journal_head' using errcode = 'integrity_constraint_violation';
    end if;
    perform pg_notify('journal', highest::text);
    return null;
end
$$;
