-- Reactors with parked reactions, counted up to $1 and one more.
select name, parked as "parked!"
from reactor
cross join lateral (
    select count(*) as parked
    from (
        select 1 from reaction where reactor = reactor.name and parked_at is not null limit $1::bigint + 1
    ) as counted
) as waiting
where parked > 0
order by name
