create table orders (
    order_id bigint primary key,
    customer_id bigint,
    status text not null,
    payment text not null,
    fulfilment text not null,
    placed_at timestamptz not null,
    reference text,
    reference_key text,
    total numeric(14, 2) not null,
    credited numeric(14, 2) not null,
    paid numeric(14, 2) not null,
    refunded numeric(14, 2) not null,
    payment_method text,
    pay_by timestamptz,
    shipping_country text,
    pricing jsonb,
    line_count bigint not null,
    erasure_requested_at timestamptz,
    version bigint not null
);
comment on column orders.customer_id is 'null for a guest';
comment on column orders.placed_at is 'may lie before the event, for orders taken over from elsewhere';
comment on column orders.reference is 'number in the books that the order comes from';
comment on column orders.reference_key is 'text_key of the reference: orders are found by it';
comment on column orders.version is 'sequence of the order''s last event';
comment on column orders.credited is 'by how much it has been worth less since it was placed';
comment on column orders.payment_method is 'null for an order that staff placed';
comment on column orders.pricing is 'what the total is made of; null where it is the sum of the subtotals';
comment on column orders.pay_by is 'when it is cancelled if it is not paid by then; null for never';
comment on column orders.erasure_requested_at is 'since when the guest''s data waits to be erased; null or infinity if it does not';
create index orders_open on orders (customer_id, order_id)
    where (status in ('pending', 'processing', 'shipped') and fulfilment <> 'returned')
        or total - credited > paid - refunded;
create index orders_erasure on orders (erasure_requested_at, order_id) where erasure_requested_at < 'infinity';
create index orders_customer on orders (customer_id, placed_at desc, order_id desc);
create index orders_placed_at on orders (placed_at desc, order_id desc);
create index orders_reference on orders (reference_key) where reference_key is not null;
-- The states in which an order waits for staff or for money. Other states are found by a walk along the date.
create index orders_to_ship on orders (status, placed_at desc, order_id desc) where status in ('pending', 'processing');
create index orders_to_pay on orders (payment, placed_at desc, order_id desc)
where payment in ('pending', 'authorised', 'partially_paid', 'failed');
create index orders_unpaid on orders (pay_by)
where payment in ('pending', 'failed') and status in ('pending', 'processing') and fulfilment = 'unfulfilled'
    and paid = refunded and total > credited;
