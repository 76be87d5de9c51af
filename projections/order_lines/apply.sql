insert into order_lines (
    order_id, line, product_id, product_name, category_id, category_name, quantity, unit_price, subtotal,
    discount, tax_rate, tax, total, shipped, withdrawn, returned
)
select
    order_id, line, product_id, product_name, category_id, category_name, quantity, unit_price, subtotal,
    discount, tax_rate, tax, total, 0, 0, 0
from fact.order_line_placed;

update order_lines as line
set shipped = line.shipped + sent.quantity
from (select order_id, line, sum(quantity) as quantity from fact.order_line_sent group by order_id, line) as sent
where line.order_id = sent.order_id
    and line.line = sent.line;

update order_lines as line
set shipped = line.quantity
from fact.order_shipped as shipped
where line.order_id = shipped.order_id
    and shipped.fulfilment is null;

update order_lines as line
set withdrawn = line.withdrawn + back.withdrawn, returned = line.returned + back.returned
from (
    select order_id, line, sum(withdrawn) as withdrawn, sum(returned) as returned
    from (
        select order_id, line, withdrawn, quantity - withdrawn as returned from fact.order_line_returned
        union all
        select order_id, line, quantity, 0 from fact.order_line_cancelled
    ) as units
    group by order_id, line
) as back
where line.order_id = back.order_id
    and line.line = back.line;

update order_lines as line
set cancelled = true
from fact.order_cancelled as cancelled
where line.order_id = cancelled.order_id;
