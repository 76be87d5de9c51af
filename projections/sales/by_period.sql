-- Periods from $2, the first day of one, to the one of $3, at most $4; without orders too. Only days from $5 to $6 count.
select
    period.first_day as "period!",
    greatest(period.first_day, $5) as "from!",
    least(period.last_day, $6) as "to!",
    period.first_day >= $5 and period.last_day <= $6 as "complete!",
    coalesce(sum(total.orders), 0)::bigint as "orders!",
    coalesce(sum(total.units), 0)::bigint as "units!",
    coalesce(sum(total.revenue), 0) as "revenue!"
from (
    select first_moment::date as first_day, (first_moment + ('1 ' || $1::text)::interval)::date - 1 as last_day
    from generate_series(
        $2::date::timestamp,
        least($3::date::timestamp, $2::date::timestamp + ($4::bigint - 1) * ('1 ' || $1::text)::interval),
        ('1 ' || $1::text)::interval
    ) as first_moment
) as period
left join sales as total
    on total.day >= greatest(period.first_day, $5::date)
    and total.day <= least(period.last_day, $6::date)
group by period.first_day, period.last_day
order by period.first_day
