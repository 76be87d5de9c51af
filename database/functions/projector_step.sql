-- Moves all live tables by one batch, exactly once: rows, position and the check of the lease commit together.
-- Tells the projections which types of events the batch holds, and records which projections it may have changed.
create function projector_step(
    holder uuid,
    holder_epoch bigint,
    time_to_live interval,
    batch_limit bigint,
    out reached bigint,
    out head bigint,
    out changed text[],
    out swap_count bigint
) language plpgsql set search_path from current as $$
declare
    lease projector_lease;
    event_count bigint;
    batch_types text[];
    relevant text;
begin
    select * into lease from projector_lease for update;
    if lease.node <> holder or lease.epoch <> holder_epoch then
        raise exception 'another node has acquired the projector''s lease' using errcode = 'PJ001';
    end if;
    changed := '{}';
    swap_count := lease.swaps;
    if lease.changes_upto <> lease.position then
        -- A program that records no changes has moved the tables.
        swap_count := swap_count + 1;
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
            changed := changed || relevant;
        end loop;
    end if;

    if reached > lease.position or lease.last_error is not null or swap_count <> lease.swaps
        or lease.expires_at < clock_timestamp() + time_to_live * 0.7 then
        update projector_lease
        set position = reached,
            expires_at = clock_timestamp() + time_to_live,
            last_error = null,
            changes = lease.changes
                || coalesce((select jsonb_object_agg(projected, reached) from unnest(changed) as projected), '{}'),
            changes_upto = reached,
            swaps = swap_count;
    end if;
end
$$;
