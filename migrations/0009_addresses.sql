-- Where customers live and have things sent. Events name an address by its number; the row goes with the customer.
create table address (
    customer_id bigint not null references customer_profile on delete cascade,
    address_id bigint not null,
    name text not null,
    line1 text not null,
    line2 text,
    postal_code text not null,
    city text not null,
    region text,
    country text not null,
    changed_at timestamptz not null,
    primary key (customer_id, address_id)
);
comment on column address.address_id is 'among those of the customer; never given again';
comment on column address.name is 'who receives what is sent there';
comment on column address.country is 'two letters of ISO 3166-1';

-- As before for profiles, and writes accounts, keys, links and addresses too. An empty text takes a line away.
create or replace function write_profiles(profile_rows jsonb, changed timestamptz) returns void language plpgsql as $$
declare
    change record;
begin
    for change in
        select * from jsonb_to_recordset(profile_rows) as change (
            op text, customer_id bigint, first_name text, last_name text, email text,
            account_id bigint, role text, password_hash text, key_id uuid, name text, hash text,
            address_id bigint, line1 text, line2 text, postal_code text, city text, region text, country text
        )
    loop
        case change.op
            when 'put' then
                insert into customer_profile (customer_id, first_name, last_name, email, changed_at)
                values (change.customer_id, change.first_name, change.last_name, change.email, changed);
            when 'change' then
                -- What was mailed to the address before would outlive the person.
                delete from mailed_link as link using customer_profile as profile
                where profile.customer_id = change.customer_id and change.email is not null
                    and lower(link.email) = lower(profile.email) and lower(link.email) <> lower(change.email);
                update customer_profile as profile
                set first_name = coalesce(change.first_name, profile.first_name),
                    last_name = coalesce(change.last_name, profile.last_name),
                    email = coalesce(change.email, profile.email),
                    changed_at = changed
                where profile.customer_id = change.customer_id;
                update account set email = change.email
                where account.customer_id = change.customer_id and change.email is not null;
            when 'forget' then
                delete from mailed_link as link using customer_profile as profile
                where profile.customer_id = change.customer_id and lower(link.email) = lower(profile.email);
                perform end_sessions(account.account_id, changed)
                from account where account.customer_id = change.customer_id;
                delete from account where account.customer_id = change.customer_id;
                delete from customer_profile as profile where profile.customer_id = change.customer_id;
            when 'open_account' then
                insert into account (account_id, role, email, customer_id, password_hash, opened_at)
                values (
                    change.account_id, change.role, change.email, change.customer_id, change.password_hash, changed
                );
                if change.password_hash is not null then
                    delete from mailed_link as link
                    where link.purpose = 'reset' and lower(link.email) = lower(change.email);
                end if;
            when 'set_password' then
                update account set password_hash = change.password_hash
                where account.account_id = change.account_id;
                perform end_sessions(change.account_id, changed);
                -- What was mailed before would set the password back.
                delete from mailed_link as link using account
                where account.account_id = change.account_id and link.purpose = 'reset'
                    and lower(link.email) = lower(account.email);
            when 'set_role' then
                update account set role = change.role where account.account_id = change.account_id;
                perform end_sessions(change.account_id, changed);
            when 'disable' then
                update account set disabled_at = changed where account.account_id = change.account_id;
                perform end_sessions(change.account_id, changed);
            when 'enable' then
                update account set disabled_at = null where account.account_id = change.account_id;
            when 'put_key' then
                insert into api_key (key_id, account_id, name, role, secret_hash, created_at)
                values (
                    change.key_id, change.account_id, change.name, change.role, decode(change.hash, 'hex'), changed
                );
            when 'revoke_key' then
                delete from api_key where api_key.key_id = change.key_id;
            when 'put_address' then
                insert into address (
                    customer_id, address_id, name, line1, line2, postal_code, city, region, country, changed_at
                )
                values (
                    change.customer_id, change.address_id, change.name, change.line1, change.line2,
                    change.postal_code, change.city, change.region, change.country, changed
                );
            when 'change_address' then
                update address
                set name = coalesce(change.name, address.name),
                    line1 = coalesce(change.line1, address.line1),
                    line2 = nullif(coalesce(change.line2, address.line2), ''),
                    postal_code = coalesce(change.postal_code, address.postal_code),
                    city = coalesce(change.city, address.city),
                    region = nullif(coalesce(change.region, address.region), ''),
                    country = coalesce(change.country, address.country),
                    changed_at = changed
                where address.customer_id = change.customer_id and address.address_id = change.address_id;
            when 'remove_address' then
                delete from address
                where address.customer_id = change.customer_id and address.address_id = change.address_id;
            when 'use_link' then
                delete from mailed_link as link
                where link.token_hash = decode(change.hash, 'hex') and link.expires_at > changed;
                if not found then
                    raise exception 'the link was used or has expired'
                        using errcode = 'unique_violation', constraint = 'mailed_link_used_once';
                end if;
        end case;
    end loop;
end
$$;
