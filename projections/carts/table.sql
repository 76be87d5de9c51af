create table carts (
    cart_id text primary key,
    state text not null,
    order_id bigint,
    version bigint not null,
    updated_at timestamptz not null
);
comment on column carts.cart_id is 'a customer''s number, or a guest''s token';
comment on column carts.state is 'open, checked_out, merged or expired';
comment on column carts.order_id is 'the order it became, while it is checked out';
comment on column carts.version is 'sequence of the cart''s last event';
comment on column carts.updated_at is 'when the items or the metadata changed last';
create index carts_open on carts (updated_at, cart_id) where state = 'open';
