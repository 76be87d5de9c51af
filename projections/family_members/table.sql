create table family_members (
    product_id bigint primary key,
    family_id bigint not null,
    options jsonb not null
);
comment on table family_members is 'products that belong to a family';
comment on column family_members.options is 'the product''s value of each option, by the name of the option';
create index family_members_family on family_members (family_id, product_id);
