create table categories (
    category_id bigint primary key,
    name text not null,
    name_key text collate "C" not null,
    product_count bigint not null,
    version bigint not null,
    parent_id bigint
);
comment on column categories.name_key is 'text_key of the name: lists are sorted by it';
comment on column categories.product_count is 'products in it, discontinued ones too';
comment on column categories.version is 'sequence of the category''s last event';
comment on column categories.parent_id is 'the category above; null at the top';
create index categories_parent on categories (parent_id) where parent_id is not null;
create index categories_name on categories (name_key, category_id);
