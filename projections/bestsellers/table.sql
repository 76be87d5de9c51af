create table bestsellers (
    product_id bigint primary key,
    units_sold bigint not null,
    revenue numeric(30, 2) not null
);
comment on table bestsellers is 'units of all orders that were neither cancelled nor taken back, at the prices of their lines';
create index bestsellers_rank on bestsellers (units_sold desc, product_id);

create table bestsellers_by_day (
    day date not null,
    product_id bigint not null,
    units_sold bigint not null,
    revenue numeric(30, 2) not null,
    primary key (day, product_id)
);
comment on column bestsellers_by_day.day is 'UTC day on which the orders were placed';
