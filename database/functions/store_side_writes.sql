-- Stores what commands change beside the log, in order: each side write by the function `write_<op>` of its `op`.
create function store_side_writes(side_writes jsonb, changed timestamptz)
returns void language plpgsql set search_path from current as $$
declare
    change jsonb;
begin
    for change in select value from jsonb_array_elements(side_writes) loop
        execute format('select %I($1, $2)', 'write_' || (change ->> 'op')) using change, changed;
    end loop;
end
$$;
