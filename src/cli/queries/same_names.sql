-- Names that were different under an earlier rule and are the same under today's: case, white space, Unicode form.
select kind as "kind!", array_agg(id order by id) as "ids!"
from (
    select 'categories' as kind, category_id as id, name as text from categories
    union all
    select 'products by SKU', product_id, sku from products where sku is not null
    union all
    select 'orders by reference', order_id, reference from orders where reference is not null
) as named
group by kind, replace(lower(regexp_replace(normalize(text, nfc), '\s+', ' ', 'g')), 'ß', 'ss')
having count(*) > 1
order by kind, min(id)
limit 20
