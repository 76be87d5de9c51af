-- Acquires the projector's lease if it is free, and returns the new epoch; null if another node holds it.
create function projector_acquire(new_node uuid, time_to_live interval)
returns bigint language sql set search_path from current as $$
    update projector_lease as lease
    set node = new_node,
        epoch = lease.epoch + 1,
        expires_at = clock_timestamp() + time_to_live,
        backend_pid = pg_backend_pid(),
        backend_start = self.backend_start
    from (select backend_start from pg_stat_activity where pid = pg_backend_pid()) as self
    where lease.expires_at < clock_timestamp()
        or not exists (
            select from pg_stat_activity as holder
            where holder.pid = lease.backend_pid and holder.backend_start = lease.backend_start
        )
    returning lease.epoch
$$;
