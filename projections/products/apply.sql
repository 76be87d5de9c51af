insert into products (
    product_id, name, name_key, description, price, category_id, sku, sku_key, on_hand, reserved, stock,
    discontinued, version, created_at, on_sale
)
select product_id, name, fact.text_key(name), description, price, category_id,
    sku, fact.text_key(sku), 0, 0, 0, false, sequence, coalesce(created_at, recorded_at),
    coalesce((details ->> 'on_sale')::boolean, true)
from fact.product_created;

update products as product
set name = last.name,
    name_key = fact.text_key(last.name),
    description = last.description,
    category_id = last.category_id
from (
    select distinct on (product_id) product_id, name, description, category_id
    from fact.product_changed
    order by product_id, position desc
) as last
where product.product_id = last.product_id;

update products as product
set price = last.price
from (
    select distinct on (product_id) product_id, price
    from fact.product_repriced
    order by product_id, position desc
) as last
where product.product_id = last.product_id;

update products as product
set discontinued = not last.listed
from (
    select distinct on (product_id) product_id, listed
    from fact.product_offer
    order by product_id, position desc
) as last
where product.product_id = last.product_id;

update products as product
set sku = last.sku,
    sku_key = fact.text_key(last.sku)
from (
    select distinct on (product_id) product_id, sku
    from fact.product_sku_changed
    order by product_id, position desc
) as last
where product.product_id = last.product_id;

update products as product
set on_sale = coalesce((last.details ->> 'on_sale')::boolean, true)
from (
    select distinct on (product_id) product_id, details
    from fact.product_details_changed
    order by product_id, position desc
) as last
where product.product_id = last.product_id;

with changed as (
    update products as product
    set on_hand = coalesce(level.on_hand, product.on_hand),
        reserved = coalesce(level.reserved, product.reserved),
        stock = case
            when level.product_id is null then product.stock
            else greatest(level.on_hand - level.reserved, 0)
        end,
        version = last.version
    from (
        select product_id, max(sequence) as version
        from fact.product_event
        group by product_id
    ) as last
    left join (
        select distinct on (product_id) product_id, on_hand, reserved
        from fact.stock_level
        order by product_id, position desc
    ) as level using (product_id)
    where product.product_id = last.product_id
    returning product.product_id, product.reserved - product.on_hand as missing
),
complete as (
    delete from products_short as short
    using changed
    where changed.missing <= 0
        and short.product_id = changed.product_id
)
insert into products_short as short (product_id, missing)
select product_id, missing
from changed
where missing > 0
on conflict (product_id) do update
set missing = excluded.missing;

with deleted as (
    delete from products as product
    using fact.product_deleted as event
    where product.product_id = event.product_id
    returning product.product_id, product.name, product.price
)
insert into products_deleted (product_id, name, price)
select product_id, name, price
from deleted;
