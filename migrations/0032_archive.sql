-- The archive: events of closed orders and carts that are rarely read. Same columns and keys as `events`.
-- Each archived stream is there from its first event on; what happens to it later is appended to `events`.
create table events_archive (
    aggregate_type text not null,
    aggregate_id text not null,
    sequence bigint not null check (sequence >= 1),
    event_type text not null,
    event_version text not null,
    payload jsonb not null,
    metadata jsonb not null,
    position bigint not null,
    recorded_at timestamptz not null,
    event_id uuid not null,
    primary key (aggregate_type, aggregate_id, sequence),
    constraint events_archive_position_key unique (position),
    constraint events_archive_event_id_key unique (event_id)
);
create index events_archive_by_type on events_archive (event_type, position);

-- The whole log. Every event is in one of the tables, and each statement sees it once, also while it is moved.
create view event_log as
select aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata, position, recorded_at, event_id
from events
union all
select aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata, position, recorded_at, event_id
from events_archive;

-- So that a stock postgres-es can use the view as its table: what it appends goes to `events`.
create function append_to_log() returns trigger language plpgsql as $$
begin
    insert into events (
        aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata, position, recorded_at,
        event_id
    )
    values (
        new.aggregate_type, new.aggregate_id, new.sequence, new.event_type, new.event_version, new.payload,
        new.metadata, new.position, new.recorded_at, coalesce(new.event_id, gen_random_uuid())
    );
    return new;
end
$$;
create trigger append_to_log instead of insert on event_log
for each row execute function append_to_log();

-- Numbers of new streams continue above these, because the highest stream may have been archived.
create table archived_number (
    kind text primary key,
    highest bigint not null check (highest >= 0)
);
comment on column archived_number.highest is 'highest number of an archived stream of the kind';

-- As before, and stricter: rows have exactly the positions that the head has just given, so none of an archived event.
-- No row has the stream and sequence of an archived event.
create or replace function check_positions() returns trigger language plpgsql as $$
declare
    lowest bigint;
    highest bigint;
    added_count bigint;
begin
    select min(position), max(position), count(*) into lowest, highest, added_count from added;
    if added_count = 0 then
        return null;
    end if;
    if lowest <> highest - added_count + 1 or highest <> (select position from journal_head) then
        raise exception 'positions are given by journal_head' using errcode = 'integrity_constraint_violation';
    end if;
    if exists (select from events_archive) and exists (
        select from added
        where exists (
            select from events_archive as archived
            where archived.aggregate_type = added.aggregate_type
                and archived.aggregate_id = added.aggregate_id
                and archived.sequence = added.sequence
            offset 0
        )
    ) then
        raise exception 'the event of this stream and sequence is archived'
            using errcode = 'unique_violation', constraint = 'events_pkey';
    end if;
    perform pg_notify('journal', highest::text);
    return null;
end
$$;

-- `events` refuses every update and truncation, and every deletion except by `journal_archive`: it names its transaction
-- in a setting. Rows may go only if the archive holds the same rows.
create function check_archived() returns trigger language plpgsql as $$
begin
    if current_setting('journal.archiving', true) is distinct from pg_current_xact_id()::text then
        raise exception 'the log is append-only: delete on events is refused'
            using errcode = 'integrity_constraint_violation';
    end if;
    if exists (
        select from removed
        where not exists (
            select from events_archive as archived
            where archived.aggregate_type = removed.aggregate_type
                and archived.aggregate_id = removed.aggregate_id
                and archived.sequence = removed.sequence
                and archived.event_type = removed.event_type
                and archived.event_version = removed.event_version
                and archived.payload = removed.payload
                and archived.metadata = removed.metadata
                and archived.position = removed.position
                and archived.recorded_at = removed.recorded_at
                and archived.event_id = removed.event_id
            offset 0
        )
    ) then
        raise exception 'an event that is not archived is not deleted' using errcode = 'integrity_constraint_violation';
    end if;
    return null;
end
$$;
drop trigger refuse_change on events;
create trigger refuse_change before update or truncate on events
for each statement execute function refuse_change();
create trigger check_archived after delete on events
referencing old table as removed
for each statement execute function check_archived();

-- The archive is append-only too. Only the functions that archive events, or restore archived ones, add to it.
create trigger refuse_change before update or delete or truncate on events_archive
for each statement execute function refuse_change();
create function check_archiving() returns trigger language plpgsql as $$
begin
    if current_setting('journal.archiving', true) is distinct from pg_current_xact_id()::text then
        raise exception 'the log is append-only: insert on events_archive is refused'
            using errcode = 'integrity_constraint_violation';
    end if;
    return null;
end
$$;
create trigger check_archiving before insert on events_archive
for each statement execute function check_archiving();
