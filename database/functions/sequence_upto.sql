-- The sequence of the last event of a stream up to a position; 0 if there is none. A binary search, as in
-- `position_before`: the sequences of a stream have no gaps, and increase with the position.
create function sequence_upto(kind text, id text, upto bigint)
returns bigint language plpgsql stable set search_path from current as $$
declare
    low bigint := 0;
    high bigint := coalesce(
        (select max(sequence) from event_log where aggregate_type = kind and aggregate_id = id), 0
    );
    middle bigint;
begin
    while low < high loop
        middle := (low + high + 1) / 2;
        if exists (
            select from event_log
            where aggregate_type = kind and aggregate_id = id and sequence = middle and position <= upto
        ) then
            low := middle;
        else
            high := middle - 1;
        end if;
    end loop;
    return low;
end
$$;
