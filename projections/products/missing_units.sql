-- Reserved units that are not on hand.
select count(*) as "products!", coalesce(sum(missing), 0)::bigint as "units!"
from live.products_short
