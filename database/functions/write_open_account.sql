-- Opens an account. One with a password needs no link that was mailed to set one.
create function write_open_account(change jsonb, changed timestamptz)
returns void language plpgsql set search_path from current as $$
declare
    opened record;
begin
    select * into opened
    from jsonb_to_record(change)
        as given (account_id bigint, role text, email text, customer_id bigint, password_hash text);
    insert into account (account_id, role, email, customer_id, password_hash, opened_at)
    values (opened.account_id, opened.role, opened.email, opened.customer_id, opened.password_hash, changed);
    if opened.password_hash is not null then
        delete from mailed_link as link
        where link.purpose = 'reset' and lower(link.email) = lower(opened.email);
    end if;
end
$$;
