-- What keeps tables from growing without bound: the health of webhooks, and indexes that find what is kept too long.
alter table webhook
    add column failing_since timestamptz,
    add column disabled_at timestamptz,
    add column disabled_reason text,
    add column off_after bigint,
    add column off_upto bigint,
    add column dropped bigint not null default 0,
    add column retry_kept boolean not null default false;
comment on column webhook.failing_since is 'first failed attempt after the last success; null after a success';
comment on column webhook.disabled_at is 'when the shop stopped the deliveries; null if an admin did, or while they run';
comment on column webhook.disabled_reason is 'why the shop stopped them';
comment on column webhook.off_after is 'position of the event that last stopped the deliveries';
comment on column webhook.off_upto is 'position of the event that started them again; null until then';
comment on column webhook.dropped is 'pending deliveries that were kept for too long since the deliveries last stopped';
comment on column webhook.retry_kept is 'whether the parked deliveries are to be retried, because it was activated again';

create index reaction_parked on reaction (reactor, target, parked_at) where parked_at is not null;

-- Work that is done once in the life of a shop.
create table completed_work (
    name text primary key,
    completed_at timestamptz not null
);

-- Where in the log a rule begins that older versions did not keep.
create table log_rule_start (
    rule text primary key,
    position bigint not null
);
comment on column log_rule_start.position is 'the rule holds for events after it';
insert into log_rule_start (rule, position) select 'captures', position from journal_head;
