create table pricing (
    pricing_id text primary key,
    fees jsonb not null,
    inclusive boolean not null,
    rates jsonb not null,
    version bigint not null
);
comment on table pricing is 'the tables in force, in the one row of the shop, as they stand in the events';
comment on column pricing.inclusive is 'whether tax is contained in the prices';
comment on column pricing.version is 'sequence of the last event, of either table';
