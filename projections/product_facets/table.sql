create table product_facets (
    product_id bigint primary key,
    category_id bigint not null,
    price numeric(14, 2) not null,
    brand text,
    band smallint not null,
    discontinued boolean not null,
    phone_brand text,
    options jsonb,
    cell_id uuid
);
comment on table product_facets is 'what products are counted by, in short rows; only catalogue events change it';
comment on column product_facets.brand is 'of the product, or else of the phone';
comment on column product_facets.band is 'band of the price, from 0; `src/http/products/facets.rs` has the same bounds';
comment on column product_facets.phone_brand is 'of the phone, if the product has another: it is found by both';
comment on column product_facets.options is 'in its family: an array of objects with name, value, and the text_key of both; null without a family';
comment on column product_facets.cell_id is 'products that are alike in all facets have the same; null for a discontinued product, which is not counted';
create index product_facets_category on product_facets (category_id);

create table product_facets_cells (
    cell_id uuid primary key,
    category_id bigint not null,
    band smallint not null,
    brand text,
    brand_key text collate "C",
    phone_brand text,
    phone_brand_key text collate "C",
    options jsonb,
    products bigint not null
) with (fillfactor = 80);
comment on table product_facets_cells is 'number of products for each combination of facets, so that all products are counted without reading each';
comment on column product_facets_cells.brand_key is 'text_key of the brand: spellings with the same key are one brand';
create index product_facets_cells_category on product_facets_cells (category_id);
create index product_facets_cells_empty on product_facets_cells (cell_id) where products <= 0;
