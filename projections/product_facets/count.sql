-- Numbers of the products that a list with the same filters has: all of them, by category, brand, band of the price, and
-- option; of each the largest groups. Spellings that a filter does not tell apart are one group, which shows the most used.
-- Without a filter of single products ($9), the cells know the numbers. $10 narrows the documents that may contain the words $5.
with alike as (
    select cell_id, products
    from product_facets_cells
    where not $9::boolean
    union all
    select facet.cell_id, count(*)
    from product_facets as facet
    -- Each is joined only for its filter.
    left join products as product
        on ($4::boolean is not null or $7::boolean is not null) and product.product_id = facet.product_id
    left join product_search as search
        on $5::text[] is not null and search.product_id = facet.product_id
    left join product_details as detail
        on $6::jsonb is not null and detail.product_id = facet.product_id
    where $9
        and not facet.discontinued
        and ($1::bigint[] is null or facet.category_id = any($1))
        and ($2::numeric is null or facet.price >= $2)
        and ($3::numeric is null or facet.price <= $3)
        and ($4::boolean is null or (product.stock > 0) = $4)
        and ($7::boolean is null or product.on_sale = $7)
        and ($6::jsonb is null or detail.filter_keys @> $6)
        and (
            $5::text[] is null
            or (
                select bool_and(strpos(search.name_key || ' ' || search.description_key, word) > 0)
                from unnest($5) as word
            ) is not false
        )
        and ($8::bigint[] is null or facet.product_id = any($8))
        and ($10::text is null or search.document @@ $10::tsquery)
    group by facet.cell_id
),
cells as materialized (
    select cell.category_id, cell.band, cell.brand, cell.brand_key, cell.phone_brand, cell.phone_brand_key, cell.options,
        alike.products
    from alike
    join product_facets_cells as cell using (cell_id)
    where $1::bigint[] is null or cell.category_id = any($1)
),
brands as (
    select key, spelling, sum(products) as products
    from (
        select brand_key as key, brand as spelling, products from cells
        union all
        select phone_brand_key, phone_brand, products from cells
    ) as named
    where key is not null
    group by key, spelling
),
options as materialized (
    select option ->> 'name_key' as name_key, option ->> 'value_key' as value_key,
        option ->> 'name' as name, option ->> 'value' as value, sum(products) as products
    from cells
    cross join jsonb_array_elements(options) as option
    group by 1, 2, 3, 4
),
option_names as (
    select name_key, (array_agg(name order by products desc, name collate "C"))[1] as name
    from (select name_key, name, sum(products) as products from options group by name_key, name) as spelt
    group by name_key
)
(
    select 'total' as "facet!", null::bigint as category_id, null as name, null::integer as band, null as value,
        coalesce(sum(products), 0)::bigint as "products!"
    from cells
)
union all
(
    select 'category', category.category_id, category.name, null, null, sum(products)::bigint
    from cells
    join categories as category using (category_id)
    group by category.category_id, category.name, category.name_key
    order by sum(products) desc, category.name_key, category.category_id
    limit 100
)
union all
(
    select 'brand', null, (array_agg(spelling order by products desc, spelling collate "C"))[1], null, null,
        sum(products)::bigint
    from brands
    group by key
    order by sum(products) desc, key collate "C"
    limit 100
)
union all
(
    select 'price', null, null, band, null, sum(products)::bigint
    from cells
    group by band
    order by band
)
union all
(
    select 'option', null, option_names.name, null,
        (array_agg(options.value order by options.products desc, options.value collate "C"))[1],
        sum(options.products)::bigint
    from options
    join option_names using (name_key)
    group by name_key, option_names.name, value_key
    order by sum(options.products) desc, name_key collate "C", value_key collate "C"
    limit 500
)
