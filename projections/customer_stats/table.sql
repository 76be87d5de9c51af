create table customer_stats (
    customer_id bigint primary key,
    total_orders bigint not null,
    total_spent numeric(30, 2) not null
);
comment on table customer_stats is 'orders that were not cancelled, and what they are worth without what was taken or given back; 0 of both without any';
create index customer_stats_rank on customer_stats (total_spent desc, customer_id);
