-- Metadata of carts, customers and orders. It may name people, so it is beside the log and goes with the customer.
create table entity_metadata (
    kind text not null check (kind in ('cart', 'customer', 'order')),
    id text not null,
    customer_id bigint references customer_profile on delete cascade,
    pairs jsonb not null,
    changed_at timestamptz not null,
    primary key (kind, id)
);
comment on column entity_metadata.id is 'the id of the stream';
comment on column entity_metadata.customer_id is 'the customer whom it goes with; null for a guest';
comment on column entity_metadata.pairs is 'an object of texts';
create index entity_metadata_customer on entity_metadata (customer_id) where customer_id is not null;
