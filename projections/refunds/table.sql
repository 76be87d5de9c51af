create table refunds (
    order_id bigint not null,
    refund bigint not null,
    amount numeric(14, 2) not null,
    state text not null,
    reason text,
    failure text,
    asked_at timestamptz not null,
    done_at timestamptz,
    primary key (order_id, refund)
);
comment on column refunds.refund is 'counts from 1 in each order';
comment on column refunds.state is 'requested, done or failed';
create index refunds_requested on refunds (order_id) where state = 'requested';
