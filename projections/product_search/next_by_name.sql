-- The next products by name whose name or description contains every word $1. Read along the names, because so many
-- products contain the words that a page is found soon; only those are looked up in other tables.
select search.product_id
from product_search as search
join products as product using (product_id)
where (search.name_key collate "C", search.product_id) > ($2, $3)
    and (
        select bool_and(strpos(search.name_key || ' ' || search.description_key, word) > 0)
        from unnest($1::text[]) as word
    ) is not false
    and product.discontinued = $5
    and ($6::bigint[] is null or product.category_id = any($6))
    and ($7::numeric is null or product.price >= $7)
    and ($8::numeric is null or product.price <= $8)
    and ($9::boolean is null or (product.stock > 0) = $9)
    and (
        $10::jsonb is null
        or product.product_id in (select detail.product_id from product_details as detail where detail.filter_keys @> $10)
    )
    and ($11::boolean is null or product.on_sale = $11)
order by search.name_key collate "C", search.product_id
limit $4
