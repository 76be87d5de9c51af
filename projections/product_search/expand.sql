-- Words of the documents that may be meant by each word $1 that a client searches for, and the words of categories.
with dictionary as (
    select (case language when 'simple' then 'simple' else language || '_stem' end)::regdictionary as stemmer
    from (select coalesce((select language from product_search_language), 'english') as language) as chosen
),
asked as (
    select place::integer as place, word collate "C" as word, ts_lexize(stemmer, word) as stems
    from dictionary, unnest($1::text[]) with ordinality as asked (word, place)
)
select asked.place as "place!", 'stem' as "kind!", known.word as "word!", 0::bigint as "category_id!"
from asked
join product_search_stems as known on known.stem = coalesce(asked.stems[1], asked.word)
union all
select asked.place, 'part', part.word, 0
from asked
cross join lateral (
    select word
    from product_search_words
    where length(asked.word) >= 2
        and word > asked.word
        and word < asked.word || chr(1114111)
    order by products desc, word
    limit 30
) as part
union all
select asked.place, 'part', part.word, 0
from asked
cross join lateral (
    -- Materialized: without a limit the planner reads the index of trigrams.
    with containing as materialized (
        select word, products
        from product_search_words
        where length(asked.word) >= 4
            and trigrams @> array(
                select substr(asked.word, place, 3) from generate_series(1, length(asked.word) - 2) as place
            )
        union all
        select word, products
        from product_search_words
        where length(asked.word) >= 4
            and trigrams @> array(
                select '#' || substr(asked.word, place, 3) from generate_series(1, length(asked.word) - 2) as place
            )
    )
    select word
    from containing
    where strpos(word, asked.word) > 1
    order by products desc, word
    limit 30
) as part
union all
select asked.place, 'similar', similar_word.word, 0
from asked
cross join lateral (
    with sharing as materialized (
        select word
        from product_search_words
        where length(asked.word) >= 4
            and asked.word !~ '[0-9]'
            and trigrams && array(
                select substr('  ' || asked.word || ' ', place, 3)
                from generate_series(1, length(asked.word) + 1) as place
            )
    )
    select word
    from sharing
    where length(word) between length(asked.word) - 2 and length(asked.word) + 2
    limit 3000
) as similar_word
where not exists (
    select from product_search_stems as known where known.stem = coalesce(asked.stems[1], asked.word)
)
union all
select place, 'stop', word, 0
from asked
where stems = '{}'
union all
select 0, 'category', name_key, category_id
from (select name_key, category_id from categories order by category_id limit 1000) as category
