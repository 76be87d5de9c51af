insert into discounts (
    discount_id, code, kind, value, valid_from, valid_until, total_limit, customer_limit, minimum, ended, uses, version
)
select discount_id, code, kind, value, "from", until, total_limit, customer_limit, minimum, false, 0, sequence
from fact.discount_created;

update discounts as discount
set kind = last.kind,
    value = last.value,
    valid_from = last."from",
    valid_until = last.until,
    total_limit = last.total_limit,
    customer_limit = last.customer_limit,
    minimum = last.minimum
from (
    select distinct on (discount_id) discount_id, kind, value, "from", until, total_limit, customer_limit, minimum
    from fact.discount_changed
    order by discount_id, position desc
) as last
where discount.discount_id = last.discount_id;

update discounts as discount
set ended = true
from fact.discount_ended as event
where discount.discount_id = event.discount_id;

update discounts as discount
set uses = discount.uses + change.uses,
    version = greatest(discount.version, change.version)
from (
    select discount_id, sum(uses) as uses, max(sequence) as version
    from (
        select discount_id, sequence, 1 as uses from fact.discount_used
        union all
        select discount_id, sequence, -1 from fact.discount_released
        union all
        select discount_id, sequence, 0 from fact.discount_changed
        union all
        select discount_id, sequence, 0 from fact.discount_ended
    ) as change
    group by discount_id
) as change
where discount.discount_id = change.discount_id;
