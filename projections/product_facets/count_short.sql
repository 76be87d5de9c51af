-- As count.sql, from the short rows alone.
with matching as not materialized (
    select facet.product_id, facet.category_id, facet.brand, facet.band
    from product_facets as facet
    where facet.discontinued = $1
        and ($2::bigint[] is null or facet.category_id = any($2))
        and ($3::numeric is null or facet.price >= $3)
        and ($4::numeric is null or facet.price <= $4)
),
cells as materialized (
    select category_id, brand, band, count(*) as products
    from matching
    group by category_id, brand, band
),
counted as (
    select grouping(category_id, brand, band) as grouped, category_id, brand, band, coalesce(sum(products), 0)::bigint as products
    from cells
    group by grouping sets ((), (category_id), (brand), (band))
)
(
    select 'total' as "facet!", null::bigint as category_id, null as name, null::integer as band, null as value,
        products as "products!"
    from counted
    where grouped = 7
)
union all
(
    select 'category', category.category_id, category.name, null, null, counted.products
    from counted
    join categories as category using (category_id)
    where counted.grouped = 3
    order by counted.products desc, category.name_key, category.category_id
    limit 100
)
union all
(
    select 'brand', null, brand, null, null, products
    from counted
    where grouped = 5 and brand is not null
    order by products desc, brand collate "C"
    limit 100
)
union all
(
    select 'price', null, null, band, null, products
    from counted
    where grouped = 6
    order by band
)
union all
(
    select 'option', null, option.key, null, option.value, sum(alike.products)::bigint
    from (
        select member.options, count(*) as products
        from family_members as member
        join matching using (product_id)
        group by member.options
    ) as alike
    cross join jsonb_each_text(alike.options) as option
    group by option.key, option.value
    order by sum(alike.products) desc, option.key collate "C", option.value collate "C"
    limit 500
)
