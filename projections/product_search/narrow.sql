-- Words of the documents that contain each part $1 of what a client searches for, and how many products have them; of more
-- than 500 words, 501.
select asked.place as "place!", known.word as "word!", known.products as "products!"
from unnest($1::text[]) with ordinality as asked (part, place)
cross join lateral (
    select array(
        select substr(asked.part, place, 3) from generate_series(1, length(asked.part) - 2) as place
    ) as plain, array(
        select '#' || substr(asked.part, place, 3) from generate_series(1, length(asked.part) - 2) as place
    ) as coded
) as inner_trigrams
cross join lateral (
    (
        select word, products
        from product_search_words
        where length(asked.part) >= 3
            and (trigrams @> plain or trigrams @> coded)
            and strpos(word, asked.part) > 0
        limit 501
    )
    union all
    (
        select word, products
        from product_search_words
        where length(asked.part) < 3
            and strpos(word, asked.part) > 0
        limit 501
    )
) as known
