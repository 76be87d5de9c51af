select
    sent.shipment,
    sent.carrier,
    sent.tracking_number,
    sent.collected,
    sent.sent_at,
    sent.delivered_at,
    line.line,
    line.product_id,
    line.quantity
from shipments as sent
join shipment_lines as line using (order_id, shipment)
where sent.order_id = $1
order by sent.shipment, line.line
limit 10000
