create table product_images (
    image_id bigint primary key,
    product_id bigint not null,
    place bigint not null,
    hash text not null,
    extension text not null,
    width bigint not null,
    height bigint not null,
    bytes bigint not null,
    created_at timestamptz not null,
    updated_at timestamptz not null
);
comment on column product_images.place is 'place among the images of the product, from 1: the first is the main image';
comment on column product_images.hash is 'SHA-256 of the picture, the name of its file';
comment on column product_images.updated_at is 'when the image was added or its picture was replaced';
create index product_images_product on product_images (product_id, place);
