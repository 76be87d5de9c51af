-- A product that moves to another family leaves its family first, so its last event tells where it is.
with last as (
    select distinct on (product_id) product_id, family_id, options
    from fact.family_place
    order by product_id, position desc
),
removed as (
    delete from family_members as member
    using last
    where last.options is null
        and member.product_id = last.product_id
)
insert into family_members as member (product_id, family_id, options)
select product_id, family_id, options
from last
where options is not null
on conflict (product_id) do update
set family_id = excluded.family_id, options = excluded.options;
