select
    date_trunc($1, day::timestamp)::date as "period!",
    sum(orders)::bigint as "orders!",
    sum(units)::bigint as "units!",
    sum(revenue) as "revenue!"
from sales
where ($2::date is null or day >= $2)
    and ($3::date is null or day <= $3)
group by date_trunc($1, day::timestamp)
having date_trunc($1, day::timestamp)::date > $4
order by date_trunc($1, day::timestamp)
limit $5
