select
    image_id,
    product_id,
    place,
    hash,
    extension,
    created_at,
    updated_at
from product_images
where image_id > $1
order by image_id
limit $2
