-- The touched products leave their cells first, and enter those of their new rows last.
update product_facets_cells as cell
set products = cell.products - leaving.products
from (
    select cell_id, count(*) as products
    from product_facets
    where product_id = any (array(select product_id from fact.product_facet_event))
    group by cell_id
) as leaving
where cell.cell_id = leaving.cell_id;

insert into product_facets (product_id, category_id, price, brand, band, discontinued, phone_brand)
select product_id, category_id, price, coalesce(brand, phone_brand), 0, false,
    case when fact.text_key(brand) <> fact.text_key(phone_brand) then phone_brand end
from (
    select product_id, category_id, price, details ->> 'brand' as brand, details -> 'phone' ->> 'brand' as phone_brand
    from fact.product_created
) as created;

update product_facets as product
set category_id = last.category_id
from (
    select distinct on (product_id) product_id, category_id
    from fact.product_changed
    order by product_id, position desc
) as last
where product.product_id = last.product_id
    and product.category_id <> last.category_id;

update product_facets as product
set price = last.price,
    band = width_bucket(
        last.price,
        array[5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000, 25000, 50000, 100000, 1000000]::numeric[]
    )
from (
    select distinct on (product_id) product_id, price
    from (
        select position, product_id, price from fact.product_created
        union all
        select position, product_id, price from fact.product_repriced
    ) as change
    order by product_id, position desc
) as last
where product.product_id = last.product_id;

update product_facets as product
set brand = coalesce(last.brand, last.phone_brand),
    phone_brand = case when fact.text_key(last.brand) <> fact.text_key(last.phone_brand) then last.phone_brand end
from (
    select distinct on (product_id) product_id, details ->> 'brand' as brand, details -> 'phone' ->> 'brand' as phone_brand
    from fact.product_details_changed
    order by product_id, position desc
) as last
where product.product_id = last.product_id;

update product_facets as product
set options = (
        select jsonb_agg(jsonb_build_object('name', name, 'value', value, 'name_key', name_key, 'value_key', value_key))
        from (
            select distinct on (name_key, value_key) name, value, name_key, value_key
            from (
                select name, value,
                    fact.text_key(name) collate "C" as name_key, fact.text_key(value) collate "C" as value_key
                from jsonb_each_text(last.options) as option (name, value)
            ) as keyed
            order by name_key, value_key, name collate "C", value collate "C"
        ) as option
    )
from (
    select distinct on (product_id) product_id, options
    from fact.family_place
    order by product_id, position desc
) as last
where product.product_id = last.product_id;

update product_facets as product
set discontinued = not last.listed
from (
    select distinct on (product_id) product_id, listed
    from fact.product_offer
    order by product_id, position desc
) as last
where product.product_id = last.product_id;

delete from product_facets as product
using fact.product_deleted as event
where product.product_id = event.product_id;

update product_facets
set cell_id = case
        when not discontinued
            then md5(jsonb_build_array(category_id, band, brand, phone_brand, options)::text)::uuid
    end
where product_id = any (array(select product_id from fact.product_facet_event));

insert into product_facets_cells as cell (
    cell_id, category_id, band, brand, brand_key, phone_brand, phone_brand_key, options, products
)
select cell_id, category_id, band, brand, fact.text_key(brand), phone_brand, fact.text_key(phone_brand), options, count(*)
from product_facets
where product_id = any (array(select product_id from fact.product_facet_event))
    and cell_id is not null
group by cell_id, category_id, band, brand, phone_brand, options
on conflict (cell_id) do update
set products = cell.products + excluded.products;

delete from product_facets_cells
where products <= 0
    and exists (select from fact.product_facet_event);
