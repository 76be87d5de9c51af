create table discounts (
    discount_id text collate "C" primary key,
    code text not null,
    kind text not null,
    value text,
    valid_from timestamptz,
    valid_until timestamptz,
    total_limit bigint,
    customer_limit bigint,
    minimum numeric(14, 2),
    ended boolean not null,
    uses bigint not null,
    version bigint not null
);
comment on column discounts.discount_id is 'the code in upper case';
comment on column discounts.code is 'as it was written';
comment on column discounts.value is 'a percentage or an amount, by the kind; null for free shipping';
comment on column discounts.valid_until is 'the first moment when it is no longer valid';
comment on column discounts.uses is 'by orders that were not cancelled';
comment on column discounts.version is 'sequence of the discount''s last event';
