-- What follows from events outside of the database: who follows the log how far, and what is yet to be done.
create table reactor (
    name text primary key,
    position bigint not null,
    started_at timestamptz not null
);
comment on column reactor.position is 'every event up to here that concerns the reactor has its reactions';

-- One thing to be done for one event. The row goes with its success.
create table reaction (
    reaction_id bigint generated always as identity primary key,
    reactor text not null,
    position bigint not null,
    target text not null,
    attempts integer not null default 0,
    due_at timestamptz,
    parked_at timestamptz,
    reason text,
    constraint reaction_once unique (reactor, position, target),
    constraint reaction_is_due_or_parked check ((due_at is null) <> (parked_at is null))
);
comment on column reaction.position is 'of the event';
comment on column reaction.target is 'empty, unless one event leads to several reactions of a reactor: then, for whom';
comment on column reaction.attempts is 'begun, that under way included';
comment on column reaction.due_at is 'when it is tried next, if no attempt that is under way succeeds before';
comment on column reaction.parked_at is 'when it was given up, until somebody decides';
comment on column reaction.reason is 'why the last attempt failed';
-- Finds what is due of each target without looking at what waits behind it.
create index reaction_due on reaction (reactor, target, due_at) where due_at is not null;

-- What people decided about reactions.
create table reaction_decision (
    decision_id bigint generated always as identity primary key,
    decided_at timestamptz not null,
    actor text not null,
    decision text not null check (decision in ('retry', 'drop', 'redeliver')),
    reactor text not null,
    position bigint not null,
    target text not null,
    reason text
);
comment on column reaction_decision.actor is 'as events name who sent a command';
comment on column reaction_decision.reason is 'why the reaction had failed before';
