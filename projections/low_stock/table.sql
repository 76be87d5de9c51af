create table low_stock (
    product_id bigint primary key,
    name text not null,
    price numeric(14, 2) not null,
    category_id bigint not null,
    stock bigint not null
);
comment on table low_stock is 'every product that is still sold, ranked by stock: where "low" begins is asked with the question';
create index low_stock_rank on low_stock (stock, product_id);
