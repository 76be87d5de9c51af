-- Products of categories, a brand, a family, or all, without discontinued ones.
select product.product_id, product.category_id, details.brand
from products as product
left join product_details as details using (product_id)
left join family_members as member using (product_id)
where not product.discontinued
    and ($1::bigint[] is null or product.category_id = any($1))
    and ($2::text is null or details.filter_keys @> jsonb_build_object('brand', jsonb_build_array($2::text)))
    and ($3::bigint is null or member.family_id = $3)
order by product.product_id;
