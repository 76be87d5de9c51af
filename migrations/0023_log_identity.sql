-- Which log this is, and its generation: a restored older database begins a new one.
create table log_identity (
    only_row boolean primary key default true check (only_row),
    log_id uuid not null,
    generation bigint not null check (generation >= 1),
    began_at timestamptz not null,
    began_after bigint not null check (began_after >= 0)
);
comment on column log_identity.generation is 'also in the upper 32 bits of journal_head.epoch, less 1, so that every append compares it';
comment on column log_identity.began_after is 'events up to this position are those of the generation before';
-- An older dump from before this migration gets the same log id as the log that it was taken from.
insert into log_identity (log_id, generation, began_at, began_after)
select coalesce((select md5('log ' || event_id)::uuid from events where position = 1), gen_random_uuid()),
    1, clock_timestamp(), 0;

-- Numbers of each kind that an earlier generation may have given; new ones are above.
create table reserved_number (
    kind text primary key,
    highest bigint not null check (highest >= 0)
);

-- Reactions that were pending when a generation began wait for an operator, also those that are enqueued later.
alter table reactor add column parked_through bigint not null default 0;
comment on column reactor.parked_through is 'reactions to events up to this position are parked when they are enqueued';
alter table reaction add column restored_in bigint;
comment on column reaction.restored_in is 'generation at whose begin the reaction was pending, until an operator decides';
create index reaction_restored on reaction (reactor, reaction_id) where restored_in is not null;
