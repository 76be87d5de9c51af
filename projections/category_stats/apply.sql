insert into category_stats (category_id, category_name, name_key, product_count, total_stock, price_sum)
select category_id, name, fact.text_key(name), 0, 0, 0
from fact.category_created;

update category_stats as category
set category_name = last.name, name_key = fact.text_key(last.name)
from (
    select distinct on (category_id) category_id, name
    from fact.category_renamed
    order by category_id, position desc
) as last
where category.category_id = last.category_id;

-- Each statement below changes what products add to their categories, and adds the difference up for each category.
-- Discontinued products keep their row, because they may be sold again, but add nothing.
with part as (
    insert into category_stats_products (product_id, category_id, price, stock, listed)
    select product_id, category_id, price, 0, true
    from fact.product_created
    returning category_id, price
)
update category_stats as category
set product_count = category.product_count + change.products, price_sum = category.price_sum + change.price
from (
    select category_id, count(*) as products, sum(price) as price
    from part
    group by category_id
) as change
where category.category_id = change.category_id;

with last as (
    select distinct on (product_id) product_id, category_id
    from fact.product_changed
    order by product_id, position desc
),
part as (
    update category_stats_products as product
    set category_id = last.category_id
    from last
    join category_stats_products as before using (product_id)
    where product.product_id = last.product_id
        and before.category_id <> last.category_id
    returning before.category_id as from_id, product.category_id as to_id, product.price, product.stock,
        product.listed
)
update category_stats as category
set product_count = category.product_count + change.products,
    total_stock = category.total_stock + change.stock,
    price_sum = category.price_sum + change.price
from (
    select category_id, sum(products) as products, sum(stock) as stock, sum(price) as price
    from (
        select to_id as category_id, 1 as products, stock, price from part where listed
        union all
        select from_id, -1, -stock, -price from part where listed
    ) as moved
    group by category_id
) as change
where category.category_id = change.category_id;

with last as (
    select distinct on (product_id) product_id, price
    from fact.product_repriced
    order by product_id, position desc
),
part as (
    update category_stats_products as product
    set price = last.price
    from last
    join category_stats_products as before using (product_id)
    where product.product_id = last.product_id
    returning product.category_id, product.price - before.price as price, product.listed
)
update category_stats as category
set price_sum = category.price_sum + change.price
from (
    select category_id, sum(price) as price
    from part
    where listed
    group by category_id
) as change
where category.category_id = change.category_id;

with last as (
    select distinct on (product_id) product_id, greatest(on_hand - reserved, 0) as stock
    from fact.stock_level
    order by product_id, position desc
),
part as (
    update category_stats_products as product
    set stock = last.stock
    from last
    join category_stats_products as before using (product_id)
    where product.product_id = last.product_id
    returning product.category_id, product.stock - before.stock as stock, product.listed
)
update category_stats as category
set total_stock = category.total_stock + change.stock
from (
    select category_id, sum(stock) as stock
    from part
    where listed
    group by category_id
) as change
where category.category_id = change.category_id;

with last as (
    select distinct on (product_id) product_id, listed
    from fact.product_offer
    order by product_id, position desc
),
part as (
    update category_stats_products as product
    set listed = last.listed
    from last
    join category_stats_products as before using (product_id)
    where product.product_id = last.product_id
        and before.listed <> last.listed
    returning product.category_id, case when product.listed then 1 else -1 end as products, product.stock, product.price
)
update category_stats as category
set product_count = category.product_count + change.products,
    total_stock = category.total_stock + change.stock,
    price_sum = category.price_sum + change.price
from (
    select category_id, sum(products) as products, sum(products * stock) as stock, sum(products * price) as price
    from part
    group by category_id
) as change
where category.category_id = change.category_id;

with part as (
    delete from category_stats_products as product
    using fact.product_deleted as event
    where product.product_id = event.product_id
    returning product.category_id, product.price, product.stock, product.listed
)
update category_stats as category
set product_count = category.product_count - change.products,
    total_stock = category.total_stock - change.stock,
    price_sum = category.price_sum - change.price
from (
    select category_id, count(*) as products, sum(stock) as stock, sum(price) as price
    from part
    where listed
    group by category_id
) as change
where category.category_id = change.category_id;

delete from category_stats as category
using fact.category_deleted as event
where category.category_id = event.category_id;
