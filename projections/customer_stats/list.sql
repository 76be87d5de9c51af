select
    stats.customer_id,
    case
        when profile.customer_id is null then 'Erased customer'
        else rtrim(profile.first_name || ' ' || profile.last_name)
    end as "name!",
    coalesce(profile.email, '') as "email!",
    stats.total_orders,
    stats.total_spent
from customer_stats as stats
left join customer_profile as profile using (customer_id)
where stats.total_spent <= $1
    and (stats.total_spent < $1 or stats.customer_id > $2)
order by stats.total_spent desc, stats.customer_id
limit $3
