-- The addresses that a checkout uses when it names none: at most one of each kind for a customer.
alter table address
    add column default_shipping boolean not null default false,
    add column default_billing boolean not null default false;
comment on column address.default_shipping is 'used by a checkout that names no shipping address';
comment on column address.default_billing is 'used by a checkout that names no billing address';
create unique index address_default_shipping on address (customer_id) where default_shipping;
create unique index address_default_billing on address (customer_id) where default_billing;
