-- Claims the next mail. The mail goes to the address on record, not to the typed one: addresses that differ only in
-- case, such as with a dotted capital I, may be two mailboxes. For a change of an account's address, only others' records
-- count. The next attempt is scheduled before this one, so that a mail that ends the process does not end it again and
-- again. $3 and $4 generation and position that the node has seen: on a restored older database it claims nothing.
with due as (
    select link_id
    from mailed_link
    where due_at <= clock_timestamp() and expires_at > clock_timestamp()
        and (select generation from log_identity) = $3 and (select position from journal_head) >= $4
    order by due_at
    limit 1
    for update skip locked
), taken as (
    update mailed_link as link
    set attempts = attempts + 1, token_hash = $1,
        due_at = clock_timestamp() + $2::interval * power(2, least(attempts, 10))
    from due
    where link.link_id = due.link_id
    returning link.link_id, link.purpose, link.attempts, link.email, link.account_id, link.requested_at, link.network
)
select taken.link_id as "link_id!", taken.purpose as "purpose!", taken.attempts as "attempts!",
    case
        when taken.purpose = 'email_notice' then taken.email
        else coalesce(holder.email, profile.email, taken.email)
    end as "email!",
    holder.account_id as "account_id?",
    coalesce(holder.disabled_at is not null, false) as "disabled!",
    profile.customer_id as "customer_id?",
    taken.requested_at as "requested_at!",
    taken.network
from taken
left join account as own on own.account_id = taken.account_id
left join account as holder
    on lower(holder.email) = lower(taken.email) and holder.account_id is distinct from own.account_id
left join customer_profile as profile
    on lower(profile.email) = lower(taken.email) and profile.customer_id is distinct from own.customer_id
