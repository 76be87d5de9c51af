-- Begins a new generation of the log, once for each expected generation; returns whether this call did.
-- Appends that were decided on an earlier generation fail, because the epoch of the head changes.
-- `reserved` maps kinds to the highest number that the old generation may have given.
create function journal_begin_generation(expected_generation bigint, least_generation bigint, reserved jsonb)
returns boolean language plpgsql set search_path from current as $$
declare
    head journal_head;
    new_generation bigint;
begin
    -- Locked like an append does, so that none is between the check and the commit.
    select * into head from journal_head for update;
    update log_identity as identity
    set generation = greatest(expected_generation + 1, least_generation),
        began_at = clock_timestamp(),
        began_after = head.position
    where identity.generation = expected_generation
    returning identity.generation into new_generation;
    if not found then
        return false;
    end if;

    update journal_head set epoch = (new_generation - 1) << 32;
    perform journal_reserve_numbers(journal_lost_numbers(head.position, head.recorded_at, reserved));
    perform journal_reserve_numbers(reserved);

    update reaction
    set due_at = null, parked_at = clock_timestamp(), restored_in = new_generation,
        reason = 'pending when an older database was restored'
    where due_at is not null;
    update reactor set parked_through = head.position;

    -- Sessions and links that ended after the dump would be valid again. The lock comes before the locks on rows,
    -- which sessions take in the order account, session, token.
    lock table session in access exclusive mode;
    delete from session;
    delete from mailed_link;
    -- States of later events may have been written before the restored database was recognised.
    delete from snapshots;
    delete from stream_snapshot;
    perform pg_notify('access', '');
    return true;
end
$$;
