-- A category by number, and those whose names are the same without accents.
select category_id, name
from categories
where category_id = $1
    or name_key = $2
order by category_id
limit 1000
