-- The last position that was recorded before a moment; 0 if none was. Recording times never decrease with the position, so
-- a binary search finds it in a few reads of the index, however long the log is.
create function position_before(moment timestamptz)
returns bigint language plpgsql stable set search_path from current as $$
declare
    low bigint := 0;
    high bigint := coalesce((select max(position) from event_log), 0);
    middle bigint;
begin
    -- Every event up to `low` is earlier, and no event after `high` is.
    while low < high loop
        middle := (low + high + 1) / 2;
        if exists (select from event_log where position = middle and recorded_at < moment) then
            low := middle;
        else
            high := middle - 1;
        end if;
    end loop;
    return low;
end
$$;
