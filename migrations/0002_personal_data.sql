-- What is known of people. Events refer to it by number, so that a person can be forgotten and the books stay.
create table customer_profile (
    customer_id bigint primary key,
    first_name text not null,
    last_name text not null,
    email text not null,
    changed_at timestamptz not null
);
create unique index customer_profile_email_key on customer_profile (lower(email));

-- Writes changes in their order: `{customer_id, first_name, last_name, email}` puts a profile, and one whose `email`
-- is null forgets it.
create function write_profiles(profile_rows jsonb, changed timestamptz) returns void language plpgsql as $$
declare
    change record;
begin
    for change in
        select * from jsonb_to_recordset(profile_rows)
            as change (customer_id bigint, first_name text, last_name text, email text)
    loop
        if change.email is null then
            delete from customer_profile where customer_id = change.customer_id;
        else
            insert into customer_profile (customer_id, first_name, last_name, email, changed_at)
            values (change.customer_id, change.first_name, change.last_name, change.email, changed)
            on conflict (customer_id) do update
            set first_name = excluded.first_name, last_name = excluded.last_name,
                email = excluded.email, changed_at = excluded.changed_at;
        end if;
    end loop;
end
$$;
