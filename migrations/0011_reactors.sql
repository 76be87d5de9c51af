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

-- Where webhooks are told, and what their messages are signed with. The log says which events they are told of; that
-- stands here too, because whoever is told of an event is found in the transaction that enqueues it.
create table webhook (
    webhook_id bigint primary key,
    url text not null,
    description text,
    event_types text[] not null,
    active boolean not null,
    since bigint not null,
    secret text not null,
    previous_secret text,
    previous_secret_until timestamptz,
    created_at timestamptz not null,
    changed_at timestamptz not null
);
comment on column webhook.since is 'position of its first event: it is told of what came after';
comment on column webhook.secret is 'whsec_ and base64: whoever has it can make messages that look like the shop''s';
comment on column webhook.previous_secret is 'signs beside the new one for a while';

-- What became of the messages, for a number of days, also of those of a webhook that was removed.
create table webhook_delivery (
    webhook_id bigint not null,
    position bigint not null,
    attempts integer not null,
    status integer,
    error text,
    tried_at timestamptz not null,
    delivered_at timestamptz,
    primary key (webhook_id, position)
);
comment on column webhook_delivery.position is 'of the event';
comment on column webhook_delivery.attempts is 'all of them, those before a retry included';
comment on column webhook_delivery.status is 'of the last answer; null if there was none';
comment on column webhook_delivery.error is 'why the last attempt failed; null if it did not';
create index webhook_delivery_tried_at on webhook_delivery (tried_at);

create function write_put_webhook(change jsonb, changed timestamptz) returns void language sql as $$
    insert into webhook (webhook_id, url, description, event_types, active, since, secret, created_at, changed_at)
    select
        (change ->> 'webhook_id')::bigint, change ->> 'url', change ->> 'description',
        array(select jsonb_array_elements_text(change -> 'event_types')), true, position, change ->> 'secret',
        changed, changed
    from events
    where aggregate_type = 'Webhook' and aggregate_id = change ->> 'webhook_id' and sequence = 1
$$;

create function write_change_webhook(change jsonb, changed timestamptz) returns void language sql as $$
    update webhook
    set url = coalesce(change ->> 'url', url),
        description = nullif(coalesce(change ->> 'description', description), ''),
        event_types = case
            when jsonb_typeof(change -> 'event_types') = 'array'
                then array(select jsonb_array_elements_text(change -> 'event_types'))
            else event_types
        end,
        active = coalesce((change ->> 'active')::boolean, active),
        changed_at = changed
    where webhook_id = (change ->> 'webhook_id')::bigint
$$;

create function write_rotate_webhook_secret(change jsonb, changed timestamptz) returns void language sql as $$
    update webhook
    set previous_secret = secret,
        previous_secret_until = changed + interval '24 hours',
        secret = change ->> 'secret',
        changed_at = changed
    where webhook_id = (change ->> 'webhook_id')::bigint
$$;

create function write_remove_webhook(change jsonb, changed timestamptz) returns void language sql as $$
    delete from webhook where webhook_id = (change ->> 'webhook_id')::bigint
$$;
