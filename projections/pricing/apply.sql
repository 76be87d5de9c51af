insert into pricing (pricing_id, fees, inclusive, rates, version)
select pricing_id, '[]', false, '[]', max(sequence)
from (
    select pricing_id, sequence from fact.shipping_fees_changed
    union all
    select pricing_id, sequence from fact.tax_rates_changed
) as change
group by pricing_id
on conflict (pricing_id) do update
set version = excluded.version;

update pricing as pricing
set fees = last.fees
from (
    select distinct on (pricing_id) pricing_id, fees
    from fact.shipping_fees_changed
    order by pricing_id, position desc
) as last
where pricing.pricing_id = last.pricing_id;

update pricing as pricing
set inclusive = last.inclusive, rates = last.rates
from (
    select distinct on (pricing_id) pricing_id, inclusive, rates
    from fact.tax_rates_changed
    order by pricing_id, position desc
) as last
where pricing.pricing_id = last.pricing_id;
