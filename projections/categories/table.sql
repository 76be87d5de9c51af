create table categories (
    category_id bigint primary key,
    name text not null,
    product_count bigint not null,
    version bigint not null
);
comment on column categories.product_count is 'products in it, discontinued ones too';
comment on column categories.version is 'sequence of the category''s last event';
create index categories_name on categories (name, category_id);
create index categories_folded_name on categories (lower(name));
