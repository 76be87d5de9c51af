-- The images of a product, in order; without one, a row without an image if the product exists.
select
    image.image_id as "image_id?",
    image.hash as "hash?",
    image.extension as "extension?",
    image.width as "width?",
    image.height as "height?",
    (select media_base from settings limit 1) as base_url
from products as product
left join product_images as image using (product_id)
where product.product_id = $1
order by image.place
limit 50
