create table cart_items (
    cart_id text not null,
    product_id bigint not null,
    quantity bigint not null,
    primary key (cart_id, product_id)
);
comment on column cart_items.cart_id is 'a customer''s number, or a guest''s token';
