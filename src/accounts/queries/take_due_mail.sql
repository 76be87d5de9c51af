-- Claims the next mail. The mail goes to the address on record, not to the typed one: addresses that differ only in
-- case, such as with a dotted capital I, may be two mailboxes. The next attempt is scheduled before this one, so that a
-- mail that ends the process does not end it again and again.
with due as (
    select link_id
    from mailed_link
    where due_at <= clock_timestamp() and expires_at > clock_timestamp()
    order by due_at
    limit 1
    for update skip locked
)
update mailed_link as link
set attempts = attempts + 1, token_hash = $1, due_at = clock_timestamp() + $2::interval * power(2, least(attempts, 10))
from due
where link.link_id = due.link_id
returning link.link_id, link.purpose, link.attempts,
    coalesce(
        (select email from account where lower(account.email) = lower(link.email)),
        (select email from customer_profile as profile where lower(profile.email) = lower(link.email)),
        link.email
    ) as "email!",
    (
        select account_id from account
        where lower(account.email) = lower(link.email) and disabled_at is null
    ) as account_id,
    (
        select customer_id from customer_profile as profile where lower(profile.email) = lower(link.email)
    ) as customer_id
