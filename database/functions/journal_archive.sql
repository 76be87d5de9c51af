-- Moves one slice of streams from `events` to `events_archive`, all or nothing, and returns the number of events. It alone
-- may delete from `events`: the triggers of both tables expect the setting below, and compare every deleted row.
--
-- Moves the events `firsts[i]` to `lasts[i]` of each stream. Refuses with PJ004, and changes nothing, if a stream does not
-- end at `versions[i]`, if one of `unchanged` does not end at its version, or if a follower has not read a moved event.
-- Appends wait only for the checks after the deletion and for the commit.
create function journal_archive(
    kinds text[],
    ids text[],
    firsts bigint[],
    lasts bigint[],
    versions bigint[],
    unchanged_kinds text[],
    unchanged_ids text[],
    unchanged_versions bigint[]
)
returns bigint language plpgsql set search_path from current as $$
declare
    expected_count bigint;
    inserted_count bigint;
    inserted_sum numeric;
    inserted_position bigint;
    deleted_count bigint;
    deleted_sum numeric;
begin
    -- One slice at a time; the second archiver then finds that the events are gone.
    perform pg_advisory_xact_lock(109270183182342);
    perform set_config('journal.archiving', pg_current_xact_id()::text, true);
    select sum(last - first + 1) into expected_count from unnest(firsts, lasts) as slice (first, last);

    with moved as (
        insert into events_archive (
            aggregate_type, aggregate_id, sequence, event_type, event_version,
            payload, metadata, position, recorded_at, event_id
        )
        select
            event.aggregate_type, event.aggregate_id, event.sequence, event.event_type, event.event_version,
            event.payload, event.metadata, event.position, event.recorded_at, event.event_id
        from unnest(kinds, ids, firsts, lasts) as slice (kind, id, first, last)
        join events as event
            on event.aggregate_type = slice.kind and event.aggregate_id = slice.id
            and event.sequence between slice.first and slice.last
        returning events_archive.*
    )
    select count(*), sum(hashtextextended(moved::text, 0)), max(position)
    into inserted_count, inserted_sum, inserted_position
    from moved;
    if inserted_count <> expected_count then
        raise exception 'the events are archived already' using errcode = 'PJ004';
    end if;

    with removed as (
        delete from events as event
        using unnest(kinds, ids, firsts, lasts) as slice (kind, id, first, last)
        where event.aggregate_type = slice.kind and event.aggregate_id = slice.id
            and event.sequence between slice.first and slice.last
        returning
            event.aggregate_type, event.aggregate_id, event.sequence, event.event_type, event.event_version,
            event.payload, event.metadata, event.position, event.recorded_at, event.event_id
    )
    select count(*), sum(hashtextextended(removed::text, 0)) into deleted_count, deleted_sum from removed;
    if deleted_count <> inserted_count or deleted_sum <> inserted_sum then
        raise exception 'count or checksum of the archived events differ' using errcode = 'integrity_constraint_violation';
    end if;

    insert into archived_number as known (kind, highest)
    select kind, max(id::bigint)
    from unnest(kinds, ids) as slice (kind, id)
    where id ~ '^[1-9][0-9]{0,17}$'
    group by kind
    on conflict (kind) do update set highest = excluded.highest where known.highest < excluded.highest;

    -- From here to the commit no event is appended.
    perform from journal_head for share;
    if exists (
        select from unnest(kinds || unchanged_kinds, ids || unchanged_ids, versions || unchanged_versions)
            as known (kind, id, version)
        where exists (
            select from events as later
            where later.aggregate_type = known.kind and later.aggregate_id = known.id and later.sequence > known.version
        )
    ) then
        raise exception 'a stream has changed' using errcode = 'PJ004';
    end if;
    if exists (
        select from unnest(kinds, ids, lasts) as slice (kind, id, last)
        where exists (
            select from events as earlier
            where earlier.aggregate_type = slice.kind and earlier.aggregate_id = slice.id
                and earlier.sequence < slice.last
        )
    ) then
        raise exception 'the first events of a stream are archived first' using errcode = 'PJ004';
    end if;
    if inserted_position > (select last_position from archivable_position()) then
        raise exception 'a follower of the log has not read an event' using errcode = 'PJ004';
    end if;
    return inserted_count;
end
$$;
