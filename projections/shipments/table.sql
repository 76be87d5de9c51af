create table shipments (
    order_id bigint not null,
    shipment bigint not null,
    carrier text,
    tracking_number text,
    collected boolean not null,
    sent_at timestamptz not null,
    delivered_at timestamptz,
    primary key (order_id, shipment)
);
comment on column shipments.collected is 'by the buyer, so there is no carrier';
comment on column shipments.shipment is 'counts from 1 in each order';
