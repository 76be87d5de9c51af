create table order_lines (
    order_id bigint not null,
    line bigint not null,
    product_id bigint not null,
    product_name text not null,
    category_id bigint not null,
    category_name text not null,
    quantity bigint not null,
    unit_price numeric(14, 2) not null,
    subtotal numeric(14, 2) not null,
    discount numeric(14, 2),
    tax_rate text,
    tax numeric(14, 2),
    total numeric(14, 2),
    shipped bigint not null,
    withdrawn bigint not null,
    returned bigint not null,
    cancelled boolean not null default false,
    primary key (order_id, line)
);
comment on table order_lines is 'names, categories and prices are those of the moment of the order';
comment on column order_lines.total is 'what the buyer is to pay, tax included; null, as the three before it, where that is the subtotal';
comment on column order_lines.withdrawn is 'units that were cancelled before they were shipped';
comment on column order_lines.returned is 'units that were taken back after they were shipped';
comment on column order_lines.cancelled is 'whether the whole order was cancelled';
create index order_lines_product on order_lines (product_id, order_id);
-- The units that are yet to be shipped, of each product.
create index order_lines_open on order_lines (product_id, order_id)
where quantity > shipped + withdrawn and not cancelled;
