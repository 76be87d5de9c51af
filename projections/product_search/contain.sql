-- Products whose name or description contains every word $2; of more than 2,000, 2,001. Documents that match $1 are
-- enough to read.
select product_id
from product_search
where document @@ $1::text::tsquery
    and (
        select bool_and(strpos(name_key || ' ' || description_key, word) > 0)
        from unnest($2::text[]) as word
    )
limit 2001
