create table customers (
    customer_id bigint primary key,
    registered_at timestamptz not null,
    erasure_requested_at timestamptz,
    erased_at timestamptz,
    version bigint not null
);
comment on table customers is 'customers without the person: name and e-mail are joined from customer_profile';
comment on column customers.erasure_requested_at is 'since when the customer waits to be erased; null or infinity if not';
comment on column customers.erased_at is 'null while the person is known';
comment on column customers.version is 'sequence of the customer''s last event';
create index customers_erasure on customers (erasure_requested_at, customer_id) where erasure_requested_at < 'infinity';
create index customers_registered on customers (registered_at desc, customer_id desc) where erased_at is null;
