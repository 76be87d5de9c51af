-- The IMEI of a product, if it has one.
select
    product.product_id,
    stored.imei as "imei?"
from products as product
left join product_imei as stored using (product_id)
where product.product_id = $1
