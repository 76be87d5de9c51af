-- The file of each image.
select image_id, product_id, hash, extension
from product_images
where image_id > $1
order by image_id
limit $2
