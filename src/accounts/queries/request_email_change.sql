-- Stores a mail with a link to the new address and a notice to the present one, if the account still has the password
-- that was checked. Replaces an earlier request, unless its link is being used now: to wait for that while holding the
-- account would be a deadlock.
with holder as (
    select account_id, email
    from account
    where account_id = $1 and password_hash = $2 and disabled_at is null
    for share
), superseded as (
    delete from mailed_link
    where link_id in (
        select link_id
        from mailed_link
        join holder using (account_id)
        where purpose = 'change_email'
        for update of mailed_link skip locked
    )
)
insert into mailed_link (
    link_id, purpose, email, account_id, session_id, network, requested_at, expires_at, due_at
)
select mail.link_id, mail.purpose, coalesce(mail.email, holder.email), holder.account_id, mail.session_id, $6,
    clock_timestamp(), clock_timestamp() + $7::interval, clock_timestamp()
from holder
cross join (
    values ($3::uuid, 'change_email', $4::text, $5::uuid), ($8::uuid, 'email_notice', null, null)
) as mail (link_id, purpose, email, session_id)
