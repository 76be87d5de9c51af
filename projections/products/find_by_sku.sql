-- Products whose SKU has the same text_key: as a rule one, because SKUs are unique.
select product_id, sku as "sku!"
from products
where sku_key = $1
order by product_id
limit 1000
