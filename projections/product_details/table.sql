create table product_details (
    product_id bigint primary key,
    slug text,
    brand text,
    filter_keys jsonb not null,
    details jsonb not null,
    updated_at timestamptz not null
);
comment on table product_details is 'catalogue data that sales do not change: products, which every sale updates, stays narrow';
comment on column product_details.slug is 'null for a product from before there were slugs: its slug is made of its name and number';
comment on column product_details.brand is 'of the product, or else of the phone';
comment on column product_details.filter_keys is 'what products are found by: number, supplier_id, storage, ram, and the text_key of brands, model, color, and of the options in the family';
comment on column product_details.details is 'all details, as in the event';
comment on column product_details.updated_at is 'when catalogue data of the product last changed; stock does not count';
create index product_details_slug on product_details (slug) where slug is not null;
create index product_details_filter_keys on product_details using gin (filter_keys jsonb_path_ops) with (fastupdate = off);
