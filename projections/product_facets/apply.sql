insert into product_facets (product_id, category_id, price, brand, band, discontinued)
select product_id, category_id, price, coalesce(details ->> 'brand', details -> 'phone' ->> 'brand'), 0, false
from fact.product_created;

update product_facets as product
set category_id = last.category_id
from (
    select distinct on (product_id) product_id, category_id
    from fact.product_changed
    order by product_id, position desc
) as last
where product.product_id = last.product_id
    and product.category_id <> last.category_id;

update product_facets as product
set price = last.price,
    band = width_bucket(
        last.price,
        array[5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000, 25000, 50000, 100000, 1000000]::numeric[]
    )
from (
    select distinct on (product_id) product_id, price
    from (
        select position, product_id, price from fact.product_created
        union all
        select position, product_id, price from fact.product_repriced
    ) as change
    order by product_id, position desc
) as last
where product.product_id = last.product_id;

update product_facets as product
set brand = coalesce(last.details ->> 'brand', last.details -> 'phone' ->> 'brand')
from (
    select distinct on (product_id) product_id, details
    from fact.product_details_changed
    order by product_id, position desc
) as last
where product.product_id = last.product_id;

update product_facets as product
set discontinued = not last.listed
from (
    select distinct on (product_id) product_id, listed
    from fact.product_offer
    order by product_id, position desc
) as last
where product.product_id = last.product_id;

delete from product_facets as product
using fact.product_deleted as event
where product.product_id = event.product_id;
