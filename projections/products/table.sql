create table products (
    product_id bigint primary key,
    name text not null,
    name_key text collate "C" not null,
    description text not null,
    price numeric(14, 2) not null,
    category_id bigint not null,
    sku text,
    sku_key text,
    on_hand bigint not null,
    reserved bigint not null,
    stock bigint not null,
    discontinued boolean not null,
    version bigint not null,
    created_at timestamptz not null,
    on_sale boolean not null
);
comment on column products.name_key is 'text_key of the name: lists are sorted by it';
comment on column products.sku_key is 'text_key of the SKU: products are found by it';
comment on column products.reserved is 'units that belong to open orders';
comment on column products.stock is 'what can still be sold: on hand less reserved, never below 0';
comment on column products.on_sale is 'false: listed and counted, and cannot be bought';
comment on column products.created_at is 'here, or in the system that the product came from';
comment on column products.version is 'sequence of the product''s last event';
create index products_name on products (name_key, product_id);
create index products_price on products (price, product_id);
create index products_sku on products (sku_key) where sku_key is not null;
create index products_category on products (category_id, name_key, product_id);

create table products_deleted (
    product_id bigint primary key,
    name text not null,
    price numeric(14, 2) not null
);
comment on table products_deleted is 'last name and price of each deleted product: carts still show it, other reads do not';

create table products_short (
    product_id bigint primary key,
    missing bigint not null
);
comment on table products_short is 'products of which a count found fewer units than open orders reserve';
comment on column products_short.missing is 'reserved units that are not on hand';
