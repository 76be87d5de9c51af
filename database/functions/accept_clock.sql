-- Accepts the time of the database, for all nodes. What a clock that was ahead has scheduled becomes due.
create function accept_clock(out accepted timestamptz)
language plpgsql set search_path from current as $$
declare
    log_time timestamptz;
begin
    select reading.clock_time, reading.log_time into accepted, log_time from read_clock() as reading;
    update shop_clock set seen_at = accepted, accepted_at = accepted, accepted_log_time = log_time;
    update scheduler_task set due_at = accepted where due_at > accepted + interval '1 hour';
    update reaction set due_at = accepted where due_at > accepted + interval '1 hour';
    update mailed_link set due_at = accepted where due_at > accepted + interval '1 hour';
end
$$;
