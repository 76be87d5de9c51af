-- Numbers of the products that a list with the same filters has: all of them, by category, brand, band of the price, and
-- option; of each the largest groups. `count_short.sql` counts faster without the filters of other tables, and
-- `count_among.sql` counts the products that a search or a family names.
with matching as not materialized (
    select facet.product_id, facet.category_id, facet.brand, facet.band
    from product_facets as facet
    -- Each is joined only for its filter.
    left join products as product
        on ($5::boolean is not null or $8::boolean is not null) and product.product_id = facet.product_id
    left join product_search as search
        on $6::text[] is not null and search.product_id = facet.product_id
    where facet.discontinued = $1
        and ($2::bigint[] is null or facet.category_id = any($2))
        and ($3::numeric is null or facet.price >= $3)
        and ($4::numeric is null or facet.price <= $4)
        and ($5::boolean is null or (product.stock > 0) = $5)
        and ($8::boolean is null or product.on_sale = $8)
        and (
            $7::jsonb is null
            or facet.product_id in (select detail.product_id from product_details as detail where detail.filter_keys @> $7)
        )
        and (
            $6::text[] is null
            or (
                select bool_and(strpos(search.name_key || ' ' || search.description_key, word) > 0)
                from unnest($6) as word
            )
        )
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
