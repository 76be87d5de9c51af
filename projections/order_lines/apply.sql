insert into order_lines (
    order_id, line, product_id, product_name, category_id, category_name, quantity, unit_price, subtotal
)
select order_id, line, product_id, product_name, category_id, category_name, quantity, unit_price, subtotal
from fact.order_line_placed;
