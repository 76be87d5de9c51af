create table low_stock (
    product_id bigint primary key,
    name text not null,
    price numeric(14, 2) not null,
    category_id bigint not null,
    stock bigint not null,
    listed boolean not null,
    threshold bigint
);
comment on table low_stock is 'every product, ranked by stock: where "low" begins is asked with the question';
comment on column low_stock.listed is 'false while the product is discontinued';
comment on column low_stock.threshold is 'of the product itself; null: that of the shop counts';
create index low_stock_rank on low_stock (stock, product_id) where listed;
create index low_stock_below_own on low_stock (stock, product_id) where listed and stock < threshold;
