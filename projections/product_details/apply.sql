with last as (
    select distinct on (product_id) product_id, coalesce(details, jsonb_build_object()) as details, recorded_at
    from (
        select position, recorded_at, product_id, details
        from fact.product_created
        union all
        select position, recorded_at, product_id, details
        from fact.product_details_changed
    ) as change
    order by product_id, position desc
)
insert into product_details as product (product_id, slug, brand, filter_keys, details, updated_at)
select
    product_id,
    details ->> 'slug',
    coalesce(details ->> 'brand', details -> 'phone' ->> 'brand'),
    jsonb_strip_nulls(jsonb_build_object(
        'product_id', product_id,
        'supplier_id', details -> 'supplier_id',
        'brand', array_remove(
            array[fact.text_key(details ->> 'brand'), fact.text_key(details -> 'phone' ->> 'brand')], null
        ),
        'model', fact.text_key(details -> 'phone' ->> 'model'),
        'storage', details -> 'phone' -> 'storage',
        'ram', details -> 'phone' -> 'ram',
        'color', fact.text_key(details -> 'phone' ->> 'color')
    )),
    details,
    recorded_at
from last
on conflict (product_id) do update
set slug = excluded.slug,
    brand = excluded.brand,
    filter_keys = excluded.filter_keys
        || jsonb_strip_nulls(jsonb_build_object('options', product.filter_keys -> 'options')),
    details = excluded.details;

update product_details as product
set filter_keys = product.filter_keys - 'options' || jsonb_strip_nulls(jsonb_build_object('options', (
        select jsonb_agg(jsonb_build_object('name', fact.text_key(name), 'value', fact.text_key(value)) order by name collate "C")
        from jsonb_each_text(last.options) as option (name, value)
    )))
from (
    select distinct on (product_id) product_id, options
    from fact.family_place
    order by product_id, position desc
) as last
where product.product_id = last.product_id;

update product_details as product
set updated_at = last.recorded_at
from (
    select distinct on (product_id) product_id, recorded_at
    from fact.product_catalogue_event
    order by product_id, position desc
) as last
where product.product_id = last.product_id;

delete from product_details as product
using fact.product_deleted as event
where product.product_id = event.product_id;
