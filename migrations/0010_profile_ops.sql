-- What a command changes beside the log, an op at a time in its order: each later op has a function `write_<op>` of its
-- own, which takes the whole op; those from before are in `write_people`.
alter function write_profiles(jsonb, timestamptz) rename to write_people;

create function write_profiles(profile_rows jsonb, changed timestamptz) returns void language plpgsql as $$
declare
    change jsonb;
begin
    for change in select value from jsonb_array_elements(profile_rows) loop
        if to_regprocedure(format('write_%s(jsonb, timestamptz)', change ->> 'op')) is null then
            perform write_people(jsonb_build_array(change), changed);
        else
            execute format('select write_%s($1, $2)', change ->> 'op') using change, changed;
        end if;
    end loop;
end
$$;
