-- What the shop knows of the database's clock, so that a wrong one is noticed before tasks act on it.
create table shop_clock (
    only_row boolean primary key default true check (only_row),
    seen_at timestamptz,
    accepted_at timestamptz,
    accepted_log_time timestamptz
);
comment on column shop_clock.seen_at is 'when a node last saw a plausible time; null before the first heartbeat';
comment on column shop_clock.accepted_at is 'the time that an operator last accepted';
comment on column shop_clock.accepted_log_time is 'time of the last event then: events up to it may lie in the future';
insert into shop_clock default values;
