-- As `read_clock`, and remembers a plausible time. Every node calls it every few seconds.
create function clock_heartbeat(
    out clock_time timestamptz,
    out known_time timestamptz,
    out log_time timestamptz,
    out verdict text
) language plpgsql set search_path from current as $$
begin
    select reading.clock_time, reading.known_time, reading.log_time, reading.verdict
    into clock_time, known_time, log_time, verdict
    from read_clock() as reading;
    if verdict = 'plausible' then
        update shop_clock
        set seen_at = clock_time
        where seen_at is null or seen_at < clock_time - interval '10 seconds';
    end if;
end
$$;
