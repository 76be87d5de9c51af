create table shipment_lines (
    order_id bigint not null,
    shipment bigint not null,
    line bigint not null,
    product_id bigint not null,
    quantity bigint not null,
    primary key (order_id, shipment, line)
);
