create table families (
    family_id bigint primary key,
    name text not null,
    name_key text collate "C" not null,
    options jsonb not null,
    product_count bigint not null,
    version bigint not null
);
comment on column families.name_key is 'text_key of the name: lists are sorted by it';
comment on column families.options is 'names of the options in which its products differ, in the order in which they are shown';
comment on column families.product_count is 'products in it, discontinued ones too';
comment on column families.version is 'sequence of the family''s last event';
create index families_name on families (name_key, family_id);
