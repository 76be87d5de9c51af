-- Secrets that all nodes of the shop share. The first node that needs one creates it.
create table shared_secret (
    name text primary key,
    secret bytea not null,
    created_at timestamptz not null default now()
);
comment on table shared_secret is 'never granted to other roles: a holder of the key can issue tokens';
