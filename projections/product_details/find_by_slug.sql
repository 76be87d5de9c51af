-- Products that may have the slug $1: by an event, or the product $2 if no event holds its slug.
select
    detail.product_id,
    product.name,
    detail.slug
from product_details as detail
join products as product using (product_id)
where detail.slug = $1
    or (detail.product_id = $2 and detail.slug is null)
order by detail.product_id
limit 2
