create table product_search (
    product_id bigint primary key,
    category_id bigint not null,
    name_key text not null,
    label_key text not null,
    details_key text not null,
    description_key text not null,
    document tsvector not null,
    next_document tsvector
);
comment on table product_search is 'texts of products for search; only catalogue events change it';
comment on column product_search.name_key is 'text_key of the name';
comment on column product_search.label_key is 'text_key of SKU, brands and model';
comment on column product_search.details_key is 'text_key of the values in specifications and phone';
comment on column product_search.description_key is 'text_key of the description';
comment on column product_search.document is 'words of all texts, with the weights A to D in the order of the columns; also /word for a word of the name, #number for the category, and /long beside words that are not indexed';
comment on column product_search.next_document is 'the next document while a batch is applied, else null';
create index product_search_document on product_search using gin (document);
create index product_search_name on product_search ((name_key collate "C"), product_id);

create table product_search_words (
    word text collate "C" primary key,
    products bigint not null,
    trigrams text[] collate "C" not null
) with (fillfactor = 80);
comment on table product_search_words is 'every word of the documents';
comment on column product_search_words.products is 'number of products that have the word';
comment on column product_search_words.trigrams is 'every three letters in a row, with two spaces before the word and one after it; with # in front for words with digits, which are codes and have no typing errors';
create index product_search_words_trigrams on product_search_words using gin (trigrams);

create table product_search_stems (
    word text collate "C" primary key,
    stem text collate "C" not null
);
comment on table product_search_stems is 'stem of each word in the language of search; apart, because a change of the language writes all of it';
create index product_search_stems_stem on product_search_stems (stem);

create table product_search_language (
    settings_id text primary key,
    language text not null
);
comment on table product_search_language is 'the language of search; no row while it was never changed';
