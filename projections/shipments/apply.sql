insert into shipments (order_id, shipment, carrier, tracking_number, collected, sent_at)
select order_id, shipment, carrier, tracking_number, collected, recorded_at
from fact.order_shipment_sent;

update shipments as sent
set delivered_at = event.recorded_at
from fact.order_shipment_delivered as event
where sent.order_id = event.order_id
    and sent.shipment = event.shipment;
