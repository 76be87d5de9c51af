select
    image_id,
    hash,
    extension,
    width,
    height,
    bytes
from product_images
where image_id = any($1)
