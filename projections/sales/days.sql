-- The first and the last day with orders.
select min(day) as first_day, max(day) as last_day
from sales
