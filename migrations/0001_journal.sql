-- The log: every change in the shop, in one gapless total order.
-- The first seven columns and the primary key are postgres-es's, so that a stock `CqrsFramework` can use the table.
create table events (
    aggregate_type text not null,
    aggregate_id text not null,
    sequence bigint not null check (sequence >= 1),
    event_type text not null,
    event_version text not null,
    payload jsonb not null,
    metadata jsonb not null,
    position bigint not null,
    recorded_at timestamptz not null,
    event_id uuid not null default gen_random_uuid(),
    primary key (aggregate_type, aggregate_id, sequence),
    constraint events_position_key unique (position),
    constraint events_event_id_key unique (event_id)
);
comment on column events.position is 'place in the log, from 1, without gaps, in the order of commits';
comment on column events.recorded_at is 'when it was appended; never earlier than the event before it';

-- Finds the highest number that a kind of thing was given.
create index events_numbered on events (aggregate_type, (aggregate_id::bigint))
where sequence = 1 and aggregate_id ~ '^[1-9][0-9]{0,17}$';

-- The end of the log. Its row lock puts all appends in sequence.
create table journal_head (
    only_row boolean primary key default true check (only_row),
    position bigint not null,
    epoch bigint not null,
    recorded_at timestamptz not null
);
comment on column journal_head.epoch is 'raised after a lost connection, so that what was sent over it can never commit later';
insert into journal_head (position, epoch, recorded_at) values (0, 0, '-infinity');

-- States of aggregates, so that a long stream is not read from its first event. One row a stream, replaceable at will.
create table snapshots (
    aggregate_type text not null,
    aggregate_id text not null,
    last_sequence bigint not null check (last_sequence >= 0),
    current_snapshot bigint not null check (current_snapshot >= 0),
    payload jsonb not null,
    primary key (aggregate_type, aggregate_id)
);

-- Answers to commands that came with an Idempotency-Key, stored in the commit of what they decided.
create table idempotency (
    key_digest text not null,
    fingerprint bytea not null,
    answer jsonb not null,
    position bigint not null,
    recorded_at timestamptz not null,
    constraint idempotency_pkey primary key (key_digest)
);
comment on column idempotency.key_digest is 'SHA-256 of principal and key: a client may have put anything into a key';
comment on column idempotency.fingerprint is 'SHA-256 of the request, so that a key cannot be used again for another one';
comment on column idempotency.position is 'where the log ended after the command';
create index idempotency_recorded_at on idempotency (recorded_at);

-- A row that comes without a position (from a stock postgres-es) is given the next one.
create function take_position() returns trigger language plpgsql as $$
begin
    update journal_head
    set position = position + 1, recorded_at = greatest(clock_timestamp(), recorded_at)
    returning position, recorded_at into new.position, new.recorded_at;
    return new;
end
$$;
create trigger take_position before insert on events
for each row when (new.position is null) execute function take_position();

-- A row that comes with a position must have been given it by the head: positions are unique and at most the head's,
-- and the head moves only together with rows, so there is never a hole.
create function check_positions() returns trigger language plpgsql as $$
begin
    if (select max(position) from added) > (select position from journal_head)
        or (select min(position) from added) < 1 then
        raise exception 'positions are given by journal_head' using errcode = 'integrity_constraint_violation';
    end if;
    perform pg_notify('journal', (select max(position) from added)::text);
    return null;
end
$$;
create trigger check_positions after insert on events
referencing new table as added
for each statement execute function check_positions();

create function refuse_change() returns trigger language plpgsql as $$
begin
    raise exception 'the log is append-only: % on % is refused', lower(tg_op), tg_table_name
        using errcode = 'integrity_constraint_violation';
end
$$;
create trigger refuse_change before update or delete or truncate on events
for each statement execute function refuse_change();

-- Takes the head for this transaction, if it is where the caller last saw it; else only tells where it is.
-- Everything a batch of commands decided is written by one call: all of it or none.
create function journal_append(
    expected_position bigint,
    expected_epoch bigint,
    aggregate_types text[],
    aggregate_ids text[],
    sequences bigint[],
    event_types text[],
    event_versions text[],
    payloads text[],
    metadatas text[],
    event_ids uuid[],
    idempotency_rows jsonb,
    profile_rows jsonb,
    out appended boolean,
    out head_position bigint,
    out head_epoch bigint
) language plpgsql as $$
declare
    event_count bigint := cardinality(event_ids);
    now_recorded timestamptz;
begin
    update journal_head as head
    set position = head.position + event_count,
        recorded_at = greatest(clock_timestamp(), head.recorded_at)
    where head.position = expected_position and head.epoch = expected_epoch
    returning head.position, head.epoch, head.recorded_at
    into head_position, head_epoch, now_recorded;
    appended := found;
    if not appended then
        select head.position, head.epoch into head_position, head_epoch from journal_head as head;
        return;
    end if;

    if event_count > 0 then
        insert into events (
            aggregate_type, aggregate_id, sequence, event_type, event_version,
            payload, metadata, position, recorded_at, event_id
        )
        select
            fresh.aggregate_type, fresh.aggregate_id, fresh.sequence, fresh.event_type, fresh.event_version,
            fresh.payload::jsonb, fresh.metadata::jsonb, expected_position + fresh.place, now_recorded, fresh.event_id
        from unnest(
            aggregate_types, aggregate_ids, sequences, event_types, event_versions, payloads, metadatas, event_ids
        ) with ordinality as fresh (
            aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata, event_id, place
        );
    end if;

    if idempotency_rows is not null then
        delete from idempotency as stored
        using jsonb_to_recordset(idempotency_rows) as fresh (key_digest text)
        where stored.key_digest = fresh.key_digest
            and stored.recorded_at < now_recorded - interval '24 hours';
        insert into idempotency (key_digest, fingerprint, answer, position, recorded_at)
        select key_digest, decode(fingerprint, 'hex'), answer, head_position, now_recorded
        from jsonb_to_recordset(idempotency_rows) as fresh (key_digest text, fingerprint text, answer jsonb);
    end if;

    if profile_rows is not null then
        perform write_profiles(profile_rows, now_recorded);
    end if;
end
$$;
