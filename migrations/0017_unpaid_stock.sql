-- What the shop's defaults depend on.
create table shop_origin (
    only_row boolean primary key default true check (only_row),
    guest_invoices boolean not null,
    digest_key bytea not null default uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())
);
comment on column shop_origin.guest_invoices is 'whether guests may pay by invoice unless a setting says otherwise: true in shops that are older than the setting';
comment on column shop_origin.digest_key is 'key of the digests in unpaid_stock';
-- A shop that was started before has events, or at least its scheduled tasks.
insert into shop_origin (guest_invoices)
select exists (select from events) or exists (select from scheduler_task);

-- Units that buyers hold in orders for which the shop has received nothing, so that they can be bounded.
create table unpaid_stock (
    holder bytea not null,
    order_id bigint not null,
    units bigint not null check (units > 0),
    primary key (holder, order_id)
);
comment on column unpaid_stock.holder is 'digest of a customer''s number, a guest''s e-mail address or network, or a shipping address';
create index unpaid_stock_order on unpaid_stock (order_id);
