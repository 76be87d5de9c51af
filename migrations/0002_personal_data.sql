-- What is known of people. Events refer to it by number, so that a person can be forgotten and the books stay.
create table customer_profile (
    customer_id bigint primary key,
    first_name text not null,
    last_name text not null,
    email text not null,
    changed_at timestamptz not null
);
create unique index customer_profile_email_key on customer_profile (lower(email));

-- Writes changes in their order. `put` takes all fields, `change` those that are not null, `forget` none.
create function write_profiles(profile_rows jsonb, changed timestamptz) returns void language plpgsql as $$
declare
    change record;
begin
    for change in
        select * from jsonb_to_recordset(profile_rows)
            as change (op text, customer_id bigint, first_name text, last_name text, email text)
    loop
        case change.op
            when 'put' then
                insert into customer_profile (customer_id, first_name, last_name, email, changed_at)
                values (change.customer_id, change.first_name, change.last_name, change.email, changed);
            when 'change' then
                update customer_profile as profile
                set first_name = coalesce(change.first_name, profile.first_name),
                    last_name = coalesce(change.last_name, profile.last_name),
                    email = coalesce(change.email, profile.email),
                    changed_at = changed
                where profile.customer_id = change.customer_id;
            when 'forget' then
                delete from customer_profile as profile where profile.customer_id = change.customer_id;
        end case;
    end loop;
end
$$;
