-- The settings of before the first change are those of `ShopSettings::default`.
insert into settings (settings_id, search_language, low_stock_threshold, version)
select settings_id, 'english', 10, max(sequence)
from (
    select settings_id, sequence from fact.shop_search_language_changed
    union all
    select settings_id, sequence from fact.shop_low_stock_threshold_changed
    union all
    select settings_id, sequence from fact.shop_media_base_changed
) as change
group by settings_id
on conflict (settings_id) do update
set version = excluded.version;

update settings as settings
set search_language = last.language
from (
    select distinct on (settings_id) settings_id, language
    from fact.shop_search_language_changed
    order by settings_id, position desc
) as last
where settings.settings_id = last.settings_id;

update settings as settings
set low_stock_threshold = last.threshold
from (
    select distinct on (settings_id) settings_id, threshold
    from fact.shop_low_stock_threshold_changed
    order by settings_id, position desc
) as last
where settings.settings_id = last.settings_id;

update settings as settings
set media_base = last.base
from (
    select distinct on (settings_id) settings_id, base
    from fact.shop_media_base_changed
    order by settings_id, position desc
) as last
where settings.settings_id = last.settings_id;
