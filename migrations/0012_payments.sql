-- What an attempt to pay is made with, until it was used: a token of the provider, never the number of a card.
create table payment_instrument (
    order_id bigint not null,
    attempt bigint not null,
    token text not null,
    given_at timestamptz not null,
    asked_at timestamptz,
    primary key (order_id, attempt)
);
comment on column payment_instrument.attempt is 'counts from 1 for each order';
comment on column payment_instrument.asked_at is 'when the provider was asked first; before that nothing can have been charged';
comment on column payment_instrument.given_at is 'the row is deleted a day later, if nobody used it';

create function write_put_instrument(change jsonb, changed timestamptz) returns void language sql as $$
    insert into payment_instrument (order_id, attempt, token, given_at)
    values ((change ->> 'order_id')::bigint, (change ->> 'attempt')::bigint, change ->> 'token', changed);
$$;

-- What the provider for tests holds and took. It stands for a bank, so it is not a part of the shop's books.
create table test_charge (
    reference text primary key,
    request uuid not null unique,
    order_id bigint not null,
    attempt bigint not null,
    amount numeric(14, 2) not null,
    card text not null,
    state text not null,
    made_at timestamptz not null default now()
);
comment on column test_charge.request is 'the event that asked for it: asked again, it is the same charge';
comment on column test_charge.card is 'which of the cards for tests; never a number';
comment on column test_charge.state is 'authorised, captured or cancelled';

create table test_refund (
    reference text primary key,
    request uuid not null unique,
    charge_reference text not null references test_charge,
    amount numeric(14, 2) not null,
    made_at timestamptz not null default now()
);
create index on test_refund (charge_reference);
