insert into product_images (
    image_id, product_id, place, hash, extension, width, height, bytes, created_at, updated_at
)
select image_id, product_id, 0, hash, extension, width, height, bytes, created_at, recorded_at
from fact.product_image_added;

update product_images as image
set hash = last.hash,
    extension = last.extension,
    width = last.width,
    height = last.height,
    bytes = last.bytes,
    updated_at = last.recorded_at
from (
    select distinct on (image_id) image_id, hash, extension, width, height, bytes, recorded_at
    from fact.product_image_replaced
    order by image_id, position desc
) as last
where image.image_id = last.image_id;

delete from product_images as image
using fact.product_image_removed as removed
where image.image_id = removed.image_id;

update product_images as image
set place = last.place
from (
    select distinct on (image_id) image_id, place
    from fact.product_image_place
    order by image_id, position desc
) as last
where image.image_id = last.image_id
    and image.place <> last.place;
