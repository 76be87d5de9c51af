-- States of aggregates after every few hundred events of their streams, so that no read begins at the first event.
-- They are derived: any row may be deleted at any time. The table `snapshots`, with one row a stream, serves programs
-- from before this table.
create table stream_snapshot (
    aggregate_type text not null,
    aggregate_id text not null,
    sequence bigint not null,
    event_id uuid not null,
    fingerprint text not null,
    state jsonb not null,
    primary key (aggregate_type, aggregate_id, sequence)
);
comment on column stream_snapshot.sequence is 'number of events in the state';
comment on column stream_snapshot.event_id is 'of the last of them; a log that holds another event there ignores the row';
comment on column stream_snapshot.fingerprint is 'of the rules that made the state; other rules ignore the row';
