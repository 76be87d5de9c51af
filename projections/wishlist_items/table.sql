create table wishlist_items (
    customer_id bigint not null,
    product_id bigint not null,
    added_at timestamptz not null,
    position bigint not null,
    primary key (customer_id, product_id)
);
comment on column wishlist_items.position is 'position of the event that added the product: newest first is by it';
create index wishlist_items_newest on wishlist_items (customer_id, position desc);
