insert into shipment_lines (order_id, shipment, line, product_id, quantity)
select order_id, shipment, line, product_id, quantity
from fact.order_line_sent;
