-- What the shop does by the clock. One node at a time runs a task: it holds the task until it is done, until the time is
-- up, or until its session is gone.
create table scheduler_task (
    name text primary key,
    due_at timestamptz not null,
    epoch bigint not null default 0,
    holder uuid,
    held_until timestamptz,
    backend_pid integer,
    backend_start timestamptz,
    last_run_at timestamptz,
    last_handled bigint,
    last_error text,
    failures integer not null default 0
);
comment on column scheduler_task.epoch is 'raised with each run: a node with an older one writes nothing';
comment on column scheduler_task.holder is 'the node that runs it now; null while nobody does';
comment on column scheduler_task.backend_pid is 'the holder''s session; when it is gone, the task is free before the time is up';
comment on column scheduler_task.last_handled is 'how many things the last run dealt with';
comment on column scheduler_task.last_error is 'why the last run failed; null if it did not';
comment on column scheduler_task.failures is 'runs that failed since the last that did not';

-- Where an order is sent and billed to, as it was written when it was placed. The customer's go with the customer; those
-- of a guest, and who the guest is, are forgotten on demand.
create table order_address (
    order_id bigint not null,
    kind text not null check (kind in ('shipping', 'billing')),
    customer_id bigint references customer_profile on delete cascade,
    name text not null,
    line1 text not null,
    line2 text,
    postal_code text not null,
    city text not null,
    region text,
    country text not null,
    placed_at timestamptz not null,
    primary key (order_id, kind)
);
create index order_address_customer on order_address (customer_id);
comment on column order_address.customer_id is 'null for a guest';
comment on column order_address.country is 'two letters of ISO 3166-1';
create table order_contact (
    order_id bigint primary key,
    name text not null,
    email text not null,
    placed_at timestamptz not null
);
comment on table order_contact is 'guests; a customer''s name and address for mails are in the profile';

-- Copies an address of a customer. It may have been changed since the order was decided: then the country, which decides
-- what the order costs, must still be the same.
create function write_snapshot_address(change jsonb, changed timestamptz) returns void language plpgsql as $$
begin
    insert into order_address (
        order_id, kind, customer_id, name, line1, line2, postal_code, city, region, country, placed_at
    )
    select (change ->> 'order_id')::bigint, change ->> 'kind', customer_id, name, line1, line2, postal_code, city, region,
        country, changed
    from address
    where customer_id = (change ->> 'customer_id')::bigint
        and address_id = (change ->> 'address_id')::bigint
        and country = coalesce(change ->> 'country', country);
    if not found then
        raise exception 'the address was removed, or its country changed'
            using errcode = 'unique_violation', constraint = 'order_address_as_known';
    end if;
end
$$;

create function write_put_order_address(change jsonb, changed timestamptz) returns void language sql as $$
    insert into order_address (
        order_id, kind, name, line1, line2, postal_code, city, region, country, placed_at
    )
    select order_id, kind, name, line1, line2, postal_code, city, region, country, changed
    from jsonb_to_record(change) as given (
        order_id bigint, kind text, name text, line1 text, line2 text, postal_code text, city text, region text, country text
    )
$$;

create function write_put_order_contact(change jsonb, changed timestamptz) returns void language sql as $$
    insert into order_contact (order_id, name, email, placed_at)
    select order_id, name, email, changed
    from jsonb_to_record(change) as given (order_id bigint, name text, email text)
$$;

-- A guest is forgotten: the order and its sums stay.
create function write_forget_order_contact(change jsonb, changed timestamptz) returns void language sql as $$
    delete from order_contact where order_id = (change ->> 'order_id')::bigint;
    delete from order_address where order_id = (change ->> 'order_id')::bigint and customer_id is null;
$$;
