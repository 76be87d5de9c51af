create table sales (
    day date primary key,
    orders bigint not null,
    units bigint not null,
    revenue numeric(30, 2) not null
);
comment on table sales is 'orders that were not cancelled, without what was taken or given back of them';
comment on column sales.day is 'UTC day on which the orders were placed';
