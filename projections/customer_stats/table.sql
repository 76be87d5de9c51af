create table customer_stats (
    customer_id bigint primary key,
    total_orders bigint not null,
    total_spent numeric(30, 2) not null
);
comment on table customer_stats is 'orders that were not cancelled; a customer without any has 0 of both';
create index customer_stats_rank on customer_stats (total_spent desc, customer_id);
