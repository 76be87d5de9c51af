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

create table bestsellers_by_month (
    month date not null,
    product_id bigint not null,
    units_sold bigint not null,
    revenue numeric(30, 2) not null,
    primary key (month, product_id)
);
comment on table bestsellers_by_month is 'sums of bestsellers_by_day, so that a long range reads few rows';
comment on column bestsellers_by_month.month is 'first day of the month';
