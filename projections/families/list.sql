select family_id, name, options as "options: _", product_count
from families
where (name_key, family_id) > ($1, $2)
order by name_key, family_id
limit $3
