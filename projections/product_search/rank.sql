-- The best 1,000 products whose documents match $1. Of more matches, those with the words in their names ($2) are taken first.
-- Words that match exactly or by their stem ($3) count more than others.
with named as materialized (
    select search.product_id, search.document
    from product_search as search
    where search.document @@ $2::text::tsquery
        and ($9::bigint[] is null or search.product_id = any($9))
        and (
            $10::jsonb is null
            or search.product_id in (select detail.product_id from product_details as detail where detail.filter_keys @> $10)
        )
        and exists (
            select from products as product
            where product.product_id = search.product_id
                and product.discontinued = $4
                and ($5::bigint[] is null or product.category_id = any($5))
                and ($6::numeric is null or product.price >= $6)
                and ($7::numeric is null or product.price <= $7)
                and ($8::boolean is null or (product.stock > 0) = $8)
                and ($11::boolean is null or product.on_sale = $11)
        )
    limit 1000
),
others as materialized (
    select search.product_id, search.document
    from product_search as search
    where search.document @@ $1::text::tsquery
        and not search.document @@ $2::text::tsquery
        and ($9::bigint[] is null or search.product_id = any($9))
        and (
            $10::jsonb is null
            or search.product_id in (select detail.product_id from product_details as detail where detail.filter_keys @> $10)
        )
        and exists (
            select from products as product
            where product.product_id = search.product_id
                and product.discontinued = $4
                and ($5::bigint[] is null or product.category_id = any($5))
                and ($6::numeric is null or product.price >= $6)
                and ($7::numeric is null or product.price <= $7)
                and ($8::boolean is null or (product.stock > 0) = $8)
                and ($11::boolean is null or product.on_sale = $11)
        )
    limit greatest(1000 - (select count(*) from named), 0)
)
select
    product_id as "product_id!",
    (1e6 * (ts_rank(document, $1::text::tsquery, 1) + 2 * coalesce(ts_rank(document, $3::text::tsquery, 1), 0)))::bigint as "rank!"
from (select * from named union all select * from others) as found
order by 2 desc, 1
limit 1000
