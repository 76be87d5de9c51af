-- Compares the clock of the database with the last time that the shop knows: `plausible`, `ahead` or `behind`.
-- The limits are those of docs/decisions/clocks.md.
create function read_clock(
    out clock_time timestamptz,
    out known_time timestamptz,
    out log_time timestamptz,
    out verdict text
) language plpgsql set search_path from current as $$
declare
    known shop_clock;
begin
    select * into known from shop_clock;
    select nullif(recorded_at, '-infinity') into log_time from journal_head;
    known_time := known.seen_at;
    if known_time is null then
        -- A version without heartbeats ran last, or none has run yet.
        select greatest(log_time, max(last_run_at)) into known_time from scheduler_task;
    end if;
    clock_time := clock_timestamp();
    verdict := case
        when clock_time > known_time + interval '3 days' then 'ahead'
        when clock_time < known_time - interval '5 minutes' then 'behind'
        when clock_time < log_time - interval '5 minutes'
            and (known.accepted_log_time is null or log_time > known.accepted_log_time) then 'behind'
        else 'plausible'
    end;
end
$$;
