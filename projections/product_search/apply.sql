insert into product_search_language (settings_id, language)
select distinct on (settings_id) settings_id, language
from fact.shop_search_language_changed
order by settings_id, position desc
on conflict (settings_id) do update
set language = excluded.language;

update product_search_stems as known
set stem = changed.stem
from (
    select
        stems.word,
        coalesce((ts_lexize(dictionary.name::regdictionary, stems.word))[1], stems.word) as stem
    from product_search_stems as stems
    cross join (
        select case language when 'simple' then 'simple' else language || '_stem' end as name
        from product_search_language
        where exists (select from fact.shop_search_language_changed)
    ) as dictionary
) as changed
where known.word = changed.word
    and known.stem <> changed.stem;

insert into product_search (product_id, category_id, name_key, label_key, details_key, description_key, document)
select product_id, category_id, fact.text_key(name), '', '', fact.text_key(description), ''
from fact.product_created;

update product_search as product
set name_key = fact.text_key(last.name),
    description_key = fact.text_key(last.description),
    category_id = last.category_id
from (
    select distinct on (product_id) product_id, name, description, category_id
    from fact.product_changed
    order by product_id, position desc
) as last
where product.product_id = last.product_id;

-- The SKU stands first in the label, the brands and the model after a line break.
update product_search as product
set label_key = coalesce(fact.text_key(last.sku), '') || substr(product.label_key, strpos(product.label_key || e'\n', e'\n'))
from (
    select distinct on (product_id) product_id, sku
    from (
        select position, product_id, sku from fact.product_created
        union all
        select position, product_id, sku from fact.product_sku_changed
    ) as change
    order by product_id, position desc
) as last
where product.product_id = last.product_id;

update product_search as product
set label_key = split_part(product.label_key, e'\n', 1) || coalesce(e'\n' || fact.text_key(translate(
        concat_ws(' ', last.details ->> 'brand', last.details -> 'phone' ->> 'brand', last.details -> 'phone' ->> 'model'),
        e'\n', ' '
    )), ''),
    details_key = coalesce((
        select fact.text_key(left(string_agg(value #>> array[]::text[], ' '), 20000))
        from (
            select value
            from jsonb_path_query(last.details, 'strict $.specifications.**', jsonb_build_object(), true) as value
            union all
            select value
            from jsonb_path_query(last.details, 'strict $.phone.**', jsonb_build_object(), true) as value
        ) as part
        where jsonb_typeof(value) in ('string', 'number')
    ), '')
from (
    select distinct on (product_id) product_id, details
    from (
        select position, product_id, details from fact.product_created
        union all
        select position, product_id, details from fact.product_details_changed
    ) as change
    order by product_id, position desc
) as last
where product.product_id = last.product_id;

-- The array of the touched products keeps short batches from reading the whole table.
--
-- A word is what stands between these separators; `src/http/products/search/words.rs` splits what clients search for.
update product_search as product
set next_document = case
        when touched.deleted then ''::tsvector
        else (
            select string_agg(lexeme, ' ')::tsvector
            from (
                select '''#' || product.category_id || '''' as lexeme
                union all
                select case
                    when length(word) > 40 then '''/long'''
                    when weight = 'A' then '''' || word || ''':' || least(place, 16383) || 'A ''/' || word || ''''
                    else '''' || word || ''':' || least(place, 16383) || weight
                end
                from unnest(
                    array[product.name_key, product.label_key, product.details_key, product.description_key],
                    array['A', 'B', 'C', 'D']
                ) as field (text, weight)
                cross join string_to_table(
                    translate(text, e'\t\n\r !"#$%&''()*+,-./:;<=>?@[\\]^_`{|}~–—«»„“”‚‘’…·•×', repeat(' ', 60)), ' '
                ) with ordinality as part (word, place)
                where word <> ''
            ) as lexemes
        )
    end
from (
    select product_id, bool_or(deleted) as deleted
    from fact.product_text_event
    group by product_id
) as touched
where product.product_id = touched.product_id
    and product.product_id = any (array(select product_id from fact.product_text_event));

insert into product_search_words as known (word, products, trigrams)
select
    word,
    sum(change),
    array(
        select distinct case when word ~ '[0-9]' then '#' else '' end || substr('  ' || word || ' ', place, 3) as trigram
        from generate_series(1, length(word) + 1) as place
        order by trigram
    )
from (
    select unnest(tsvector_to_array(product.next_document)) as word, 1 as change
    from product_search as product
    where product.product_id = any (array(select product_id from fact.product_text_event))
    union all
    select unnest(tsvector_to_array(product.document)), -1
    from product_search as product
    where product.product_id = any (array(select product_id from fact.product_text_event))
) as used
where left(word, 1) not in ('/', '#')
group by word
having sum(change) <> 0
on conflict (word) do update
set products = known.products + excluded.products;

insert into product_search_stems (word, stem)
select word, coalesce((ts_lexize(dictionary.name::regdictionary, word))[1], word)
from (
    select distinct unnest(tsvector_to_array(product.next_document)) as word
    from product_search as product
    where product.product_id = any (array(select product_id from fact.product_text_event))
) as used
cross join (
    select case language when 'simple' then 'simple' else language || '_stem' end as name
    from (select coalesce((select language from product_search_language), 'english') as language) as chosen
) as dictionary
where left(word, 1) not in ('/', '#')
on conflict (word) do nothing;

with unused as (
    delete from product_search_words as known
    using (
        select distinct unnest(tsvector_to_array(product.document)) as word
        from product_search as product
        where product.product_id = any (array(select product_id from fact.product_text_event))
    ) as used
    where known.word = used.word
        and known.products = 0
    returning known.word
)
delete from product_search_stems as known
using unused
where known.word = unused.word;

update product_search as product
set document = product.next_document,
    next_document = null
where product.product_id = any (array(select product_id from fact.product_text_event));

delete from product_search as product
using fact.product_deleted as event
where product.product_id = event.product_id;
