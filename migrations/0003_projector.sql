-- The tables that queries read; projections/ says what stands in them.
create schema live;

-- Where all live tables stand, and which node moves them. Its row lock puts batches and swaps in sequence.
create table projector_lease (
    only_row boolean primary key default true check (only_row),
    position bigint not null,
    node uuid not null,
    epoch bigint not null,
    expires_at timestamptz not null,
    backend_pid integer not null,
    backend_start timestamptz not null,
    last_error text
);
comment on column projector_lease.position is 'every live table holds exactly the events up to here';
comment on column projector_lease.epoch is 'raised with each change of hands: a node with an older one writes nothing';
comment on column projector_lease.backend_pid is 'the holder''s session; when it is gone, the lease is free before it expires';
comment on column projector_lease.last_error is 'why the projector stands still; null while it runs';
insert into projector_lease (position, node, epoch, expires_at, backend_pid, backend_start)
values (0, '00000000-0000-0000-0000-000000000000', 0, '-infinity', 0, '-infinity');

-- What is in service.
create table projection (
    name text primary key,
    fingerprint text not null,
    event_types text[] not null,
    tables text[] not null,
    built_at timestamptz not null
);
comment on column projection.fingerprint is 'SHA-256 of the SQL that the tables were built with';
comment on column projection.event_types is 'a batch without any of these leaves the tables as they are';
comment on column projection.tables is 'what it owns in schema live';

-- What is being built beside the live tables.
create table projection_rebuild (
    name text primary key,
    position bigint not null,
    target bigint not null,
    started_at timestamptz not null,
    updated_at timestamptz not null
);
comment on column projection_rebuild.target is 'where the live tables stood when this was written';

-- Takes the lease if it is free, and returns the new epoch; null if another node holds it.
create function projector_acquire(new_node uuid, time_to_live interval) returns bigint language sql as $$
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

-- Moves all live tables by one batch, exactly once: the rows, the position and the check of the lease commit together.
create function projector_step(
    holder uuid,
    holder_epoch bigint,
    time_to_live interval,
    batch_limit bigint,
    out reached bigint,
    out head bigint
) language plpgsql as $$
declare
    lease projector_lease;
    event_count bigint;
    batch_types text[];
    relevant text;
begin
    select * into lease from projector_lease for update;
    if lease.node <> holder or lease.epoch <> holder_epoch then
        raise exception 'the projector''s lease was taken over' using errcode = 'PJ001';
    end if;
    select journal_head.position into head from journal_head;
    reached := least(head, lease.position + batch_limit);

    if reached > lease.position then
        perform set_config('projector.after', lease.position::text, true),
            set_config('projector.upto', reached::text, true);
        select count(*), array_agg(distinct event_type) into event_count, batch_types
        from events
        where position > lease.position and position <= reached;
        if event_count <> reached - lease.position then
            raise exception 'the log has a hole between positions % and %', lease.position + 1, reached
                using errcode = 'PJ002';
        end if;
        for relevant in select name from projection where event_types && batch_types order by name loop
            execute format('select live.%I()', 'apply_' || relevant);
        end loop;
    end if;

    if reached > lease.position or lease.last_error is not null
        or lease.expires_at < clock_timestamp() + time_to_live * 0.7 then
        update projector_lease
        set position = reached, expires_at = clock_timestamp() + time_to_live, last_error = null;
    end if;
end
$$;
