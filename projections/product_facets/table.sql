create table product_facets (
    product_id bigint primary key,
    category_id bigint not null,
    price numeric(14, 2) not null,
    brand text,
    band smallint not null,
    discontinued boolean not null
);
comment on table product_facets is 'what products are counted by, in short rows; only catalogue events change it';
comment on column product_facets.brand is 'of the product, or else of the phone';
comment on column product_facets.band is 'band of the price, from 0; `src/http/products/facets.rs` has the same bounds';
create index product_facets_category on product_facets (category_id);
