create table category_stats (
    category_id bigint primary key,
    category_name text not null,
    name_key text collate "C" not null,
    product_count bigint not null,
    total_stock bigint not null,
    price_sum numeric(30, 2) not null
);
comment on table category_stats is 'of the products that are still sold';
comment on column category_stats.name_key is 'text_key of the name: lists are sorted by it';
comment on column category_stats.price_sum is 'the average price is this divided by product_count';
create index category_stats_rank on category_stats (product_count desc, name_key, category_id);

create table category_stats_products (
    product_id bigint primary key,
    category_id bigint not null,
    price numeric(14, 2) not null,
    stock bigint not null,
    listed boolean not null
);
comment on column category_stats_products.listed is 'false while the product is discontinued: it adds nothing then';
comment on table category_stats_products is 'what each product adds to its category, to be taken back when it changes';
