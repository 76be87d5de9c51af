-- The log as typed rows: one view for each event type, over the batch that is being projected.
--
-- The batch is the range of positions after `projector.after` up to `projector.upto`, two settings of the transaction.
-- The views are also installed over the archive: for rebuilds, and in schema `fact`.
-- Every fact carries its position in the log, the time it was recorded, the sequence in its stream, and the stream's id.
-- Old versions of an event are brought up to date here, so that no projection knows of them.

create view fact.event as
select event.position, event.recorded_at, event.aggregate_id, event.sequence, event.event_type, event.payload
from public.events as event
where event.position > current_setting('projector.after')::bigint
    and event.position <= current_setting('projector.upto')::bigint;

create view fact.category_created as
select position, recorded_at, sequence, aggregate_id::bigint as category_id, payload ->> 'name' as name,
    (payload ->> 'parent_id')::bigint as parent_id
from fact.event where event_type = 'CategoryCreated';

create view fact.category_moved as
select position, recorded_at, sequence, aggregate_id::bigint as category_id,
    (payload ->> 'parent_id')::bigint as parent_id, (payload ->> 'previous_parent_id')::bigint as previous_parent_id
from fact.event where event_type = 'CategoryMoved';

create view fact.category_renamed as
select position, recorded_at, sequence, aggregate_id::bigint as category_id,
    payload ->> 'name' as name, payload ->> 'previous_name' as previous_name
from fact.event where event_type = 'CategoryRenamed';

create view fact.category_deleted as
select position, recorded_at, sequence, aggregate_id::bigint as category_id, payload ->> 'name' as name
from fact.event where event_type = 'CategoryDeleted';

create view fact.category_child_added as
select position, recorded_at, sequence, aggregate_id::bigint as category_id,
    (payload ->> 'child_id')::bigint as child_id
from fact.event where event_type = 'CategoryChildAdded';

create view fact.category_child_removed as
select position, recorded_at, sequence, aggregate_id::bigint as category_id,
    (payload ->> 'child_id')::bigint as child_id
from fact.event where event_type = 'CategoryChildRemoved';

create view fact.category_product_added as
select position, recorded_at, sequence, aggregate_id::bigint as category_id,
    (payload ->> 'product_id')::bigint as product_id
from fact.event where event_type = 'CategoryProductAdded';

create view fact.category_product_removed as
select position, recorded_at, sequence, aggregate_id::bigint as category_id,
    (payload ->> 'product_id')::bigint as product_id
from fact.event where event_type = 'CategoryProductRemoved';

create view fact.family_created as
select position, recorded_at, sequence, aggregate_id::bigint as family_id,
    payload ->> 'name' as name, payload -> 'options' as options
from fact.event where event_type = 'FamilyCreated';

create view fact.family_changed as
select position, recorded_at, sequence, aggregate_id::bigint as family_id,
    payload ->> 'name' as name, payload -> 'options' as options
from fact.event where event_type = 'FamilyChanged';

create view fact.family_deleted as
select position, recorded_at, sequence, aggregate_id::bigint as family_id, payload ->> 'name' as name
from fact.event where event_type = 'FamilyDeleted';

create view fact.family_product_added as
select position, recorded_at, sequence, aggregate_id::bigint as family_id,
    (payload ->> 'product_id')::bigint as product_id, payload -> 'options' as options
from fact.event where event_type = 'FamilyProductAdded';

create view fact.family_product_changed as
select position, recorded_at, sequence, aggregate_id::bigint as family_id,
    (payload ->> 'product_id')::bigint as product_id, payload -> 'options' as options
from fact.event where event_type = 'FamilyProductChanged';

create view fact.family_product_removed as
select position, recorded_at, sequence, aggregate_id::bigint as family_id,
    (payload ->> 'product_id')::bigint as product_id
from fact.event where event_type = 'FamilyProductRemoved';

-- Every change of a product's place in a family; `options` is null if the product leaves it.
create view fact.family_place as
select position, aggregate_id::bigint as family_id, (payload ->> 'product_id')::bigint as product_id,
    payload -> 'options' as options,
    case event_type when 'FamilyProductAdded' then 1 when 'FamilyProductRemoved' then -1 else 0 end as products
from fact.event
where event_type in ('FamilyProductAdded', 'FamilyProductChanged', 'FamilyProductRemoved');

create view fact.family_event as
select aggregate_id::bigint as family_id, sequence
from fact.event
where event_type in (
    'FamilyCreated', 'FamilyChanged', 'FamilyDeleted',
    'FamilyProductAdded', 'FamilyProductChanged', 'FamilyProductRemoved'
);

create view fact.product_created as
select position, recorded_at, sequence, aggregate_id::bigint as product_id,
    payload ->> 'name' as name, payload ->> 'description' as description, (payload ->> 'price')::numeric as price,
    (payload ->> 'category_id')::bigint as category_id, payload ->> 'sku' as sku,
    payload -> 'details' as details, (payload ->> 'created_at')::timestamptz as created_at,
    (payload ->> 'low_stock_threshold')::bigint as low_stock_threshold
from fact.event where event_type = 'ProductCreated';

create view fact.product_changed as
select position, recorded_at, sequence, aggregate_id::bigint as product_id,
    payload ->> 'name' as name, payload ->> 'description' as description,
    (payload ->> 'category_id')::bigint as category_id
from fact.event where event_type = 'ProductChanged';

create view fact.product_repriced as
select position, recorded_at, sequence, aggregate_id::bigint as product_id,
    (payload ->> 'price')::numeric as price, (payload ->> 'previous_price')::numeric as previous_price
from fact.event where event_type = 'ProductRepriced';

create view fact.product_discontinued as
select position, recorded_at, sequence, aggregate_id::bigint as product_id
from fact.event where event_type = 'ProductDiscontinued';

create view fact.product_relisted as
select position, recorded_at, sequence, aggregate_id::bigint as product_id
from fact.event where event_type = 'ProductRelisted';

-- Whether a product is sold, each time that this changes.
create view fact.product_offer as
select position, aggregate_id::bigint as product_id, event_type = 'ProductRelisted' as listed
from fact.event where event_type in ('ProductDiscontinued', 'ProductRelisted');

create view fact.product_sku_changed as
select position, recorded_at, sequence, aggregate_id::bigint as product_id,
    payload ->> 'sku' as sku, payload ->> 'previous_sku' as previous_sku
from fact.event where event_type = 'ProductSkuChanged';

create view fact.product_details_changed as
select position, recorded_at, sequence, aggregate_id::bigint as product_id, payload -> 'details' as details
from fact.event where event_type = 'ProductDetailsChanged';

create view fact.product_imei_changed as
select position, recorded_at, sequence, aggregate_id::bigint as product_id, (payload ->> 'present')::boolean as present
from fact.event where event_type = 'ProductImeiChanged';

create view fact.product_low_stock_threshold_changed as
select position, recorded_at, sequence, aggregate_id::bigint as product_id,
    (payload ->> 'threshold')::bigint as threshold, (payload ->> 'previous_threshold')::bigint as previous_threshold
from fact.event where event_type = 'ProductLowStockThresholdChanged';

create view fact.product_ran_low as
select position, recorded_at, sequence, aggregate_id::bigint as product_id,
    payload ->> 'name' as name, (payload ->> 'stock')::bigint as stock, (payload ->> 'threshold')::bigint as threshold
from fact.event where event_type = 'ProductRanLow';

create view fact.product_deleted as
select position, recorded_at, sequence, aggregate_id::bigint as product_id
from fact.event where event_type = 'ProductDeleted';

create view fact.product_image_added as
select position, recorded_at, sequence, aggregate_id::bigint as product_id,
    (payload ->> 'image_id')::bigint as image_id, payload -> 'picture' as picture,
    payload -> 'picture' ->> 'hash' as hash, payload -> 'picture' ->> 'extension' as extension,
    (payload -> 'picture' ->> 'width')::bigint as width, (payload -> 'picture' ->> 'height')::bigint as height,
    (payload -> 'picture' ->> 'bytes')::bigint as bytes,
    payload -> 'image_ids' as image_ids,
    coalesce((payload ->> 'created_at')::timestamptz, recorded_at) as created_at
from fact.event where event_type = 'ProductImageAdded';

create view fact.product_image_replaced as
select position, recorded_at, sequence, aggregate_id::bigint as product_id,
    (payload ->> 'image_id')::bigint as image_id, payload -> 'picture' as picture,
    payload -> 'picture' ->> 'hash' as hash, payload -> 'picture' ->> 'extension' as extension,
    (payload -> 'picture' ->> 'width')::bigint as width, (payload -> 'picture' ->> 'height')::bigint as height,
    (payload -> 'picture' ->> 'bytes')::bigint as bytes,
    payload -> 'previous' as previous, payload -> 'previous' ->> 'hash' as previous_hash, payload -> 'previous' ->> 'extension' as previous_extension
from fact.event where event_type = 'ProductImageReplaced';

create view fact.product_image_removed as
select position, recorded_at, sequence, aggregate_id::bigint as product_id,
    (payload ->> 'image_id')::bigint as image_id, payload -> 'picture' as picture,
    payload -> 'picture' ->> 'hash' as hash, payload -> 'picture' ->> 'extension' as extension,
    payload -> 'image_ids' as image_ids
from fact.event where event_type = 'ProductImageRemoved';

create view fact.product_image_numbered as
select position, recorded_at, sequence, aggregate_id::bigint as image_id,
    (payload ->> 'product_id')::bigint as product_id
from fact.event where event_type = 'ProductImageNumbered';

-- The order of a product's images each time that it changes: a row for each image, with its place from 1.
create view fact.product_image_place as
select position, recorded_at, sequence, aggregate_id::bigint as product_id,
    image_id::bigint as image_id, place
from fact.event,
    lateral jsonb_array_elements_text(payload -> 'image_ids') with ordinality as arranged (image_id, place)
where event_type in ('ProductImageAdded', 'ProductImageRemoved', 'ProductImagesReordered');

create view fact.product_images_reordered as
select position, recorded_at, sequence, aggregate_id::bigint as product_id,
    payload -> 'image_ids' as image_ids, payload -> 'previous_image_ids' as previous_image_ids
from fact.event where event_type = 'ProductImagesReordered';

create view fact.stock_received as
select position, recorded_at, sequence, aggregate_id::bigint as product_id,
    (payload ->> 'quantity')::bigint as quantity, payload ->> 'reason' as reason,
    (payload ->> 'on_hand')::bigint as on_hand, (payload ->> 'reserved')::bigint as reserved
from fact.event where event_type = 'StockReceived';

create view fact.stock_corrected as
select position, recorded_at, sequence, aggregate_id::bigint as product_id,
    (payload ->> 'change')::bigint as change, payload ->> 'reason' as reason,
    (payload ->> 'on_hand')::bigint as on_hand, (payload ->> 'reserved')::bigint as reserved
from fact.event where event_type = 'StockCorrected';

create view fact.stock_reserved as
select position, recorded_at, sequence, aggregate_id::bigint as product_id,
    (payload ->> 'order_id')::bigint as order_id, (payload ->> 'quantity')::bigint as quantity,
    (payload ->> 'on_hand')::bigint as on_hand, (payload ->> 'reserved')::bigint as reserved
from fact.event where event_type = 'StockReserved';

create view fact.stock_released as
select position, recorded_at, sequence, aggregate_id::bigint as product_id,
    (payload ->> 'order_id')::bigint as order_id, (payload ->> 'quantity')::bigint as quantity,
    (payload ->> 'on_hand')::bigint as on_hand, (payload ->> 'reserved')::bigint as reserved
from fact.event where event_type = 'StockReleased';

create view fact.stock_shipped as
select position, recorded_at, sequence, aggregate_id::bigint as product_id,
    (payload ->> 'order_id')::bigint as order_id, (payload ->> 'quantity')::bigint as quantity,
    (payload ->> 'on_hand')::bigint as on_hand, (payload ->> 'reserved')::bigint as reserved
from fact.event where event_type = 'StockShipped';

create view fact.stock_returned as
select position, recorded_at, sequence, aggregate_id::bigint as product_id,
    (payload ->> 'order_id')::bigint as order_id, (payload ->> 'quantity')::bigint as quantity,
    (payload ->> 'on_hand')::bigint as on_hand, (payload ->> 'reserved')::bigint as reserved
from fact.event where event_type = 'StockReturned';

-- Every event of a product, for its version.
create view fact.product_event as
select position, recorded_at, sequence, aggregate_id::bigint as product_id
from fact.event
where event_type in (
    'ProductCreated', 'ProductChanged', 'ProductRepriced', 'ProductDiscontinued', 'ProductRelisted',
    'ProductSkuChanged', 'ProductDetailsChanged', 'ProductImeiChanged', 'ProductDeleted',
    'ProductLowStockThresholdChanged', 'ProductRanLow',
    'ProductImageAdded', 'ProductImageReplaced', 'ProductImageRemoved', 'ProductImagesReordered',
    'StockReceived', 'StockCorrected', 'StockReserved', 'StockReleased', 'StockShipped', 'StockReturned'
);

-- Every event of a product that changes what the catalogue says of it; stock does not count.
create view fact.product_catalogue_event as
select position, recorded_at, aggregate_id::bigint as product_id
from fact.event
where event_type in (
    'ProductCreated', 'ProductChanged', 'ProductRepriced', 'ProductDiscontinued', 'ProductRelisted',
    'ProductSkuChanged', 'ProductDetailsChanged', 'ProductImeiChanged', 'ProductLowStockThresholdChanged',
    'ProductImageAdded', 'ProductImageReplaced', 'ProductImageRemoved', 'ProductImagesReordered'
);

-- Every event of a product that changes its texts or its category.
create view fact.product_text_event as
select position, recorded_at, aggregate_id::bigint as product_id, event_type = 'ProductDeleted' as deleted
from fact.event
where event_type in (
    'ProductCreated', 'ProductChanged', 'ProductSkuChanged', 'ProductDetailsChanged', 'ProductDeleted'
);

-- Every event of a product, or of its place in a family, that changes what it is counted by in facets.
create view fact.product_facet_event as
select position, coalesce(payload ->> 'product_id', aggregate_id)::bigint as product_id
from fact.event
where event_type in (
    'ProductCreated', 'ProductChanged', 'ProductRepriced', 'ProductDiscontinued', 'ProductRelisted',
    'ProductDetailsChanged', 'ProductDeleted', 'FamilyProductAdded', 'FamilyProductChanged', 'FamilyProductRemoved'
);

-- What every stock event has in common: the figures after it. One pass over the batch instead of six.
create view fact.stock_level as
select position, recorded_at, sequence, aggregate_id::bigint as product_id,
    (payload ->> 'on_hand')::bigint as on_hand, (payload ->> 'reserved')::bigint as reserved
from fact.event
where event_type in (
    'StockReceived', 'StockCorrected', 'StockReserved', 'StockReleased', 'StockShipped', 'StockReturned'
);

create view fact.customer_registered as
select position, recorded_at, sequence, aggregate_id::bigint as customer_id
from fact.event where event_type = 'CustomerRegistered';

create view fact.customer_changed as
select position, recorded_at, sequence, aggregate_id::bigint as customer_id, payload -> 'fields' as fields
from fact.event where event_type = 'CustomerChanged';

create view fact.customer_metadata_changed as
select position, recorded_at, sequence, aggregate_id::bigint as customer_id
from fact.event where event_type = 'CustomerMetadataChanged';

create view fact.customer_address_added as
select position, recorded_at, sequence, aggregate_id::bigint as customer_id,
    (payload ->> 'address_id')::bigint as address_id
from fact.event where event_type = 'CustomerAddressAdded';

create view fact.customer_address_changed as
select position, recorded_at, sequence, aggregate_id::bigint as customer_id,
    (payload ->> 'address_id')::bigint as address_id, payload -> 'fields' as fields
from fact.event where event_type = 'CustomerAddressChanged';

create view fact.customer_address_removed as
select position, recorded_at, sequence, aggregate_id::bigint as customer_id,
    (payload ->> 'address_id')::bigint as address_id
from fact.event where event_type = 'CustomerAddressRemoved';

create view fact.customer_erased as
select position, recorded_at, sequence, aggregate_id::bigint as customer_id
from fact.event where event_type = 'CustomerErased';

create view fact.customer_erasure_requested as
select position, recorded_at, sequence, aggregate_id::bigint as customer_id
from fact.event where event_type = 'CustomerErasureRequested';

create view fact.customer_erasure_withdrawn as
select position, recorded_at, sequence, aggregate_id::bigint as customer_id
from fact.event where event_type = 'CustomerErasureWithdrawn';

create view fact.customer_default_addresses_changed as
select position, recorded_at, sequence, aggregate_id::bigint as customer_id,
    (payload ->> 'shipping')::bigint as shipping, (payload ->> 'billing')::bigint as billing
from fact.event where event_type = 'CustomerDefaultAddressesChanged';

create view fact.wishlist_item_added as
select position, recorded_at, sequence, aggregate_id::bigint as customer_id,
    (payload ->> 'product_id')::bigint as product_id
from fact.event where event_type = 'WishlistItemAdded';

create view fact.wishlist_item_removed as
select position, recorded_at, sequence, aggregate_id::bigint as customer_id,
    (payload ->> 'product_id')::bigint as product_id
from fact.event where event_type = 'WishlistItemRemoved';

create view fact.wishlist_emptied as
select position, recorded_at, sequence, aggregate_id::bigint as customer_id
from fact.event where event_type = 'WishlistEmptied';

-- What every wishlist event has in common; `product_id` is null for an event that empties the whole wishlist.
create view fact.wishlist_change as
select position, recorded_at, sequence, aggregate_id::bigint as customer_id,
    (payload ->> 'product_id')::bigint as product_id, event_type = 'WishlistItemAdded' as added
from fact.event
where event_type in ('WishlistItemAdded', 'WishlistItemRemoved', 'WishlistEmptied');

create view fact.cart_opened as
select position, recorded_at, sequence, aggregate_id as cart_id
from fact.event where event_type = 'CartOpened';

create view fact.cart_metadata_changed as
select position, recorded_at, sequence, aggregate_id as cart_id
from fact.event where event_type = 'CartMetadataChanged';

create view fact.cart_item_added as
select position, recorded_at, sequence, aggregate_id as cart_id, (payload ->> 'product_id')::bigint as product_id,
    (payload ->> 'quantity')::bigint as quantity, (payload ->> 'new_quantity')::bigint as new_quantity
from fact.event where event_type = 'CartItemAdded';

create view fact.cart_item_quantity_changed as
select position, recorded_at, sequence, aggregate_id as cart_id, (payload ->> 'product_id')::bigint as product_id,
    (payload ->> 'new_quantity')::bigint as new_quantity
from fact.event where event_type = 'CartItemQuantityChanged';

create view fact.cart_item_removed as
select position, recorded_at, sequence, aggregate_id as cart_id, (payload ->> 'product_id')::bigint as product_id
from fact.event where event_type = 'CartItemRemoved';

create view fact.cart_emptied as
select position, recorded_at, sequence, aggregate_id as cart_id
from fact.event where event_type = 'CartEmptied';

create view fact.cart_merged as
select position, recorded_at, sequence, aggregate_id as cart_id, (payload ->> 'customer_id')::bigint as customer_id
from fact.event where event_type = 'CartMerged';

create view fact.cart_checked_out as
select position, recorded_at, sequence, aggregate_id as cart_id, (payload ->> 'order_id')::bigint as order_id
from fact.event where event_type = 'CartCheckedOut';

-- What every cart event has in common. One pass over the batch instead of eight.
-- `new_quantity` is 0 for a removed item; `product_id` is null for an event that empties the whole cart, or opens it.
create view fact.cart_change as
select position, recorded_at, sequence, aggregate_id as cart_id, event_type,
    (payload ->> 'product_id')::bigint as product_id,
    coalesce((payload ->> 'new_quantity')::bigint, 0) as new_quantity,
    (payload ->> 'order_id')::bigint as order_id
from fact.event
where event_type in (
    'CartOpened', 'CartItemAdded', 'CartItemQuantityChanged', 'CartItemRemoved', 'CartEmptied', 'CartMerged',
    'CartCheckedOut', 'CartExpired', 'CartMetadataChanged'
);

create view fact.order_placed as
select position, recorded_at, sequence, aggregate_id::bigint as order_id,
    (payload ->> 'customer_id')::bigint as customer_id, (payload ->> 'placed_at')::timestamptz as placed_at,
    payload ->> 'reference' as reference, (payload ->> 'total')::numeric as total,
    jsonb_array_length(payload -> 'lines')::bigint as line_count,
    payload ->> 'payment_method' as payment_method, (payload ->> 'pay_by')::timestamptz as pay_by,
    payload ->> 'shipping_country' as shipping_country, payload -> 'pricing' as pricing,
    payload ->> 'request_digest' as request_digest
from fact.event where event_type = 'OrderPlaced';

-- What belongs to the whole order is read once for each order, before the lines are unnested (`offset 0` keeps it so),
-- and of each line only the columns that are asked for.
create view fact.order_line_placed as
select placed.position, placed.recorded_at, placed.sequence, placed.order_id, placed.customer_id, placed.placed_at,
    (line ->> 'line')::bigint as line, (line ->> 'product_id')::bigint as product_id,
    line ->> 'product_name' as product_name, (line ->> 'category_id')::bigint as category_id,
    line ->> 'category_name' as category_name, (line ->> 'quantity')::bigint as quantity,
    (line ->> 'unit_price')::numeric as unit_price, (line ->> 'subtotal')::numeric as subtotal,
    (line ->> 'discount')::numeric as discount, line ->> 'tax_rate' as tax_rate, (line ->> 'tax')::numeric as tax,
    (line ->> 'total')::numeric as total
from (
    select position, recorded_at, sequence, aggregate_id::bigint as order_id,
        (payload ->> 'customer_id')::bigint as customer_id, (payload ->> 'placed_at')::timestamptz as placed_at,
        payload -> 'lines' as lines
    from fact.event where event_type = 'OrderPlaced'
    offset 0
) as placed
cross join lateral jsonb_array_elements(placed.lines) as line;

create view fact.order_processing_started as
select position, recorded_at, sequence, aggregate_id::bigint as order_id
from fact.event where event_type = 'OrderProcessingStarted';

-- Without a fulfilment it is from before there were shipments, and says that everything was sent at once.
create view fact.order_shipped as
select position, recorded_at, sequence, aggregate_id::bigint as order_id, payload ->> 'fulfilment' as fulfilment
from fact.event where event_type = 'OrderShipped';

create view fact.order_completed as
select position, recorded_at, sequence, aggregate_id::bigint as order_id, payload ->> 'fulfilment' as fulfilment
from fact.event where event_type = 'OrderCompleted';

create view fact.order_cancelled as
select position, recorded_at, sequence, aggregate_id::bigint as order_id, payload ->> 'reason' as reason,
    (payload ->> 'customer_id')::bigint as customer_id, (payload ->> 'placed_at')::timestamptz as placed_at,
    (payload ->> 'total')::numeric as total
from fact.event where event_type = 'OrderCancelled';

create view fact.order_units_cancelled as
select position, recorded_at, sequence, aggregate_id::bigint as order_id, payload ->> 'reason' as reason,
    (payload ->> 'credit')::numeric as credit, payload ->> 'fulfilment' as fulfilment,
    (payload ->> 'customer_id')::bigint as customer_id, (payload ->> 'placed_at')::timestamptz as placed_at
from fact.event where event_type = 'OrderUnitsCancelled';

-- Units that will not be shipped.
create view fact.order_line_cancelled as
select event.position, event.recorded_at, event.sequence, event.aggregate_id::bigint as order_id,
    (line ->> 'line')::bigint as line, (line ->> 'product_id')::bigint as product_id,
    (line ->> 'quantity')::bigint as quantity, (line ->> 'subtotal')::numeric as subtotal,
    (line ->> 'amount')::numeric as amount
from fact.event as event
cross join lateral jsonb_array_elements(event.payload -> 'lines') as line
where event.event_type = 'OrderUnitsCancelled';

create view fact.order_shipment_sent as
select position, recorded_at, sequence, aggregate_id::bigint as order_id, (payload ->> 'shipment')::bigint as shipment,
    payload ->> 'carrier' as carrier, payload ->> 'tracking_number' as tracking_number,
    payload ->> 'fulfilment' as fulfilment, coalesce((payload ->> 'collected')::boolean, false) as collected
from fact.event where event_type = 'OrderShipmentSent';

create view fact.order_line_sent as
select event.position, event.recorded_at, event.sequence, event.aggregate_id::bigint as order_id,
    (event.payload ->> 'shipment')::bigint as shipment, (line ->> 'line')::bigint as line,
    (line ->> 'product_id')::bigint as product_id, (line ->> 'quantity')::bigint as quantity
from fact.event as event
cross join lateral jsonb_array_elements(event.payload -> 'lines') as line
where event.event_type = 'OrderShipmentSent';

create view fact.order_shipment_delivered as
select position, recorded_at, sequence, aggregate_id::bigint as order_id, (payload ->> 'shipment')::bigint as shipment,
    payload ->> 'fulfilment' as fulfilment
from fact.event where event_type = 'OrderShipmentDelivered';

create view fact.order_returned as
select position, recorded_at, sequence, aggregate_id::bigint as order_id, payload ->> 'reason' as reason,
    (payload ->> 'credit')::numeric as credit, payload ->> 'fulfilment' as fulfilment,
    (payload ->> 'customer_id')::bigint as customer_id, (payload ->> 'placed_at')::timestamptz as placed_at
from fact.event where event_type = 'OrderReturned';

-- `withdrawn` of the units were never shipped; newer events have none, because such units are cancelled.
create view fact.order_line_returned as
select event.position, event.recorded_at, event.sequence, event.aggregate_id::bigint as order_id,
    (line ->> 'line')::bigint as line, (line ->> 'product_id')::bigint as product_id,
    (line ->> 'quantity')::bigint as quantity, (line ->> 'withdrawn')::bigint as withdrawn,
    (line ->> 'restocked')::boolean as restocked, (line ->> 'subtotal')::numeric as subtotal,
    (line ->> 'amount')::numeric as amount
from fact.event as event
cross join lateral jsonb_array_elements(event.payload -> 'lines') as line
where event.event_type = 'OrderReturned';

-- What is no longer sold: the lines of returns, cancelled units, and what was left of cancelled orders.
create view fact.order_line_taken_back as
select taken.position, taken.recorded_at, taken.sequence, taken.order_id, taken.placed_at,
    (line ->> 'product_id')::bigint as product_id, (line ->> 'quantity')::bigint as quantity,
    (line ->> 'subtotal')::numeric as subtotal
from (
    select position, recorded_at, sequence, aggregate_id::bigint as order_id,
        (payload ->> 'placed_at')::timestamptz as placed_at, payload -> 'lines' as lines
    from fact.event where event_type in ('OrderCancelled', 'OrderReturned', 'OrderUnitsCancelled')
    offset 0
) as taken
cross join lateral jsonb_array_elements(taken.lines) as line;

create view fact.order_payment_requested as
select position, recorded_at, sequence, aggregate_id::bigint as order_id, (payload ->> 'attempt')::bigint as attempt,
    payload ->> 'method' as method, (payload ->> 'amount')::numeric as amount
from fact.event where event_type = 'OrderPaymentRequested';

create view fact.order_payment_authorised as
select position, recorded_at, sequence, aggregate_id::bigint as order_id, (payload ->> 'attempt')::bigint as attempt,
    (payload ->> 'amount')::numeric as amount, payload ->> 'reference' as reference
from fact.event where event_type = 'OrderPaymentAuthorised';

create view fact.order_payment_failed as
select position, recorded_at, sequence, aggregate_id::bigint as order_id, (payload ->> 'attempt')::bigint as attempt,
    -- Older events have the provider's spelling.
    case payload ->> 'reason' when 'canceled' then 'cancelled' else payload ->> 'reason' end as reason,
    coalesce(payload ->> 'payment', 'failed') as payment
from fact.event where event_type = 'OrderPaymentFailed';

create view fact.order_paid as
select position, recorded_at, sequence, aggregate_id::bigint as order_id, (payload ->> 'attempt')::bigint as attempt,
    (payload ->> 'amount')::numeric as amount, payload ->> 'reference' as reference
from fact.event where event_type = 'OrderPaid';

create view fact.order_partially_paid as
select position, recorded_at, sequence, aggregate_id::bigint as order_id, (payload ->> 'attempt')::bigint as attempt,
    (payload ->> 'amount')::numeric as amount, (payload ->> 'due')::numeric as due, payload ->> 'reference' as reference
from fact.event where event_type = 'OrderPartiallyPaid';

create view fact.order_refund_requested as
select position, recorded_at, sequence, aggregate_id::bigint as order_id, (payload ->> 'refund')::bigint as refund,
    (payload ->> 'amount')::numeric as amount, payload ->> 'reason' as reason,
    (payload ->> 'attempt')::bigint as attempt
from fact.event where event_type = 'OrderRefundRequested';

create view fact.order_refunded as
select position, recorded_at, sequence, aggregate_id::bigint as order_id, (payload ->> 'refund')::bigint as refund,
    (payload ->> 'amount')::numeric as amount, (payload ->> 'credit')::numeric as credit,
    payload ->> 'payment' as payment, payload ->> 'reference' as reference, payload ->> 'reason' as reason,
    (payload ->> 'customer_id')::bigint as customer_id, (payload ->> 'placed_at')::timestamptz as placed_at
from fact.event where event_type = 'OrderRefunded';

create view fact.order_refund_failed as
select position, recorded_at, sequence, aggregate_id::bigint as order_id, (payload ->> 'refund')::bigint as refund,
    payload ->> 'reason' as reason
from fact.event where event_type = 'OrderRefundFailed';

-- By how much an order is worth less after a step: a cancelled one all that it was still worth.
create view fact.order_credited as
select position, recorded_at, sequence, aggregate_id::bigint as order_id,
    (payload ->> 'customer_id')::bigint as customer_id, (payload ->> 'placed_at')::timestamptz as placed_at,
    coalesce(payload ->> 'credit', payload ->> 'total')::numeric as credit
from fact.event where event_type in ('OrderReturned', 'OrderRefunded', 'OrderCancelled', 'OrderUnitsCancelled');

-- The states and sums of an order that a step of its life changed; what it left as it was is null or zero.
-- `erasure_requested_at` is infinity where a step ends the wait for an erasure.
create view fact.order_step as
select position, recorded_at, sequence, aggregate_id::bigint as order_id,
    case event_type
        when 'OrderProcessingStarted' then 'processing'
        when 'OrderShipped' then 'shipped'
        when 'OrderCompleted' then 'completed'
        when 'OrderCancelled' then 'cancelled'
    end as status,
    case event_type
        when 'OrderPaymentRequested' then 'pending'
        when 'OrderPaymentAuthorised' then 'authorised'
        when 'OrderPaymentFailed' then coalesce(payload ->> 'payment', 'failed')
        when 'OrderPaid' then 'paid'
        when 'OrderPartiallyPaid' then 'partially_paid'
        when 'OrderRefunded' then payload ->> 'payment'
    end as payment,
    coalesce(
        payload ->> 'fulfilment',
        case event_type when 'OrderShipped' then 'shipped' when 'OrderCompleted' then 'delivered' end
    ) as fulfilment,
    payload ->> 'method' as payment_method,
    case when event_type in ('OrderPaid', 'OrderPartiallyPaid') then (payload ->> 'amount')::numeric else 0 end as paid,
    case when event_type = 'OrderRefunded' then (payload ->> 'amount')::numeric else 0 end as refunded,
    case
        when event_type in ('OrderReturned', 'OrderRefunded', 'OrderUnitsCancelled') then (payload ->> 'credit')::numeric
        when event_type = 'OrderCancelled' then (payload ->> 'total')::numeric
        else 0
    end as credited,
    payload ->> 'shipping_country' as shipping_country,
    case event_type
        when 'OrderContactErasureRequested' then recorded_at
        when 'OrderContactErasureWithdrawn' then 'infinity'::timestamptz
        when 'OrderContactErased' then 'infinity'::timestamptz
    end as erasure_requested_at
from fact.event
where event_type in (
    'OrderProcessingStarted', 'OrderShipmentSent', 'OrderShipmentDelivered', 'OrderShipped', 'OrderCompleted',
    'OrderCancelled', 'OrderReturned', 'OrderPaymentRequested', 'OrderPaymentAuthorised', 'OrderPaymentFailed',
    'OrderPaid', 'OrderPartiallyPaid', 'OrderRefundRequested', 'OrderRefunded', 'OrderRefundFailed', 'OrderContactErased',
    'OrderAddressesCorrected', 'OrderContactCorrected', 'OrderContactErasureRequested', 'OrderContactErasureWithdrawn',
    'OrderUnitsCancelled', 'OrderMetadataChanged'
);

create view fact.claim_taken as
select position, recorded_at, sequence, aggregate_id as claim_id, (payload ->> 'holder')::bigint as holder
from fact.event where event_type = 'ClaimTaken';

create view fact.claim_released as
select position, recorded_at, sequence, aggregate_id as claim_id, (payload ->> 'holder')::bigint as holder
from fact.event where event_type = 'ClaimReleased';

create view fact.account_opened as
select position, recorded_at, sequence, aggregate_id::bigint as account_id,
    payload ->> 'role' as role, (payload ->> 'customer_id')::bigint as customer_id
from fact.event where event_type = 'AccountOpened';

create view fact.account_role_changed as
select position, recorded_at, sequence, aggregate_id::bigint as account_id,
    payload ->> 'role' as role, payload ->> 'previous_role' as previous_role
from fact.event where event_type = 'AccountRoleChanged';

create view fact.account_disabled as
select position, recorded_at, sequence, aggregate_id::bigint as account_id
from fact.event where event_type = 'AccountDisabled';

create view fact.account_enabled as
select position, recorded_at, sequence, aggregate_id::bigint as account_id
from fact.event where event_type = 'AccountEnabled';

create view fact.account_password_changed as
select position, recorded_at, sequence, aggregate_id::bigint as account_id
from fact.event where event_type = 'AccountPasswordChanged';

create view fact.account_email_changed as
select position, recorded_at, sequence, aggregate_id::bigint as account_id
from fact.event where event_type = 'AccountEmailChanged';

create view fact.api_key_created as
select position, recorded_at, sequence, aggregate_id::bigint as account_id,
    (payload ->> 'key_id')::uuid as key_id, payload ->> 'role' as role
from fact.event where event_type = 'ApiKeyCreated';

create view fact.api_key_revoked as
select position, recorded_at, sequence, aggregate_id::bigint as account_id,
    (payload ->> 'key_id')::uuid as key_id
from fact.event where event_type = 'ApiKeyRevoked';

create view fact.account_erased as
select position, recorded_at, sequence, aggregate_id::bigint as account_id
from fact.event where event_type = 'AccountErased';

create view fact.cart_expired as
select position, recorded_at, sequence, aggregate_id as cart_id
from fact.event where event_type = 'CartExpired';

create view fact.order_metadata_changed as
select position, recorded_at, sequence, aggregate_id::bigint as order_id
from fact.event where event_type = 'OrderMetadataChanged';

create view fact.order_contact_erased as
select position, recorded_at, sequence, aggregate_id::bigint as order_id
from fact.event where event_type = 'OrderContactErased';

create view fact.order_addresses_corrected as
select position, recorded_at, sequence, aggregate_id::bigint as order_id,
    payload -> 'kinds' as kinds, payload ->> 'shipping_country' as shipping_country
from fact.event where event_type = 'OrderAddressesCorrected';

create view fact.order_contact_corrected as
select position, recorded_at, sequence, aggregate_id::bigint as order_id, payload -> 'fields' as fields
from fact.event where event_type = 'OrderContactCorrected';

create view fact.order_contact_erasure_requested as
select position, recorded_at, sequence, aggregate_id::bigint as order_id
from fact.event where event_type = 'OrderContactErasureRequested';

create view fact.order_contact_erasure_withdrawn as
select position, recorded_at, sequence, aggregate_id::bigint as order_id
from fact.event where event_type = 'OrderContactErasureWithdrawn';

create view fact.webhook_created as
select position, recorded_at, sequence, aggregate_id::bigint as webhook_id, payload -> 'event_types' as event_types
from fact.event where event_type = 'WebhookCreated';

create view fact.webhook_changed as
select position, recorded_at, sequence, aggregate_id::bigint as webhook_id,
    payload -> 'event_types' as event_types, (payload ->> 'active')::boolean as active
from fact.event where event_type = 'WebhookChanged';

create view fact.webhook_secret_rotated as
select position, recorded_at, sequence, aggregate_id::bigint as webhook_id
from fact.event where event_type = 'WebhookSecretRotated';

create view fact.webhook_disabled as
select position, recorded_at, sequence, aggregate_id::bigint as webhook_id, payload ->> 'reason' as reason
from fact.event where event_type = 'WebhookDisabled';

create view fact.webhook_removed as
select position, recorded_at, sequence, aggregate_id::bigint as webhook_id
from fact.event where event_type = 'WebhookRemoved';

create view fact.shipping_fees_changed as
select position, recorded_at, sequence, aggregate_id as pricing_id, payload -> 'fees' as fees
from fact.event where event_type = 'ShippingFeesChanged';

create view fact.tax_rates_changed as
select position, recorded_at, sequence, aggregate_id as pricing_id,
    (payload ->> 'inclusive')::boolean as inclusive, payload -> 'rates' as rates
from fact.event where event_type = 'TaxRatesChanged';

create view fact.shop_search_language_changed as
select position, recorded_at, sequence, aggregate_id as settings_id,
    payload ->> 'language' as language, payload ->> 'previous_language' as previous_language
from fact.event where event_type = 'ShopSearchLanguageChanged';

create view fact.shop_low_stock_threshold_changed as
select position, recorded_at, sequence, aggregate_id as settings_id,
    (payload ->> 'threshold')::bigint as threshold, (payload ->> 'previous_threshold')::bigint as previous_threshold
from fact.event where event_type = 'ShopLowStockThresholdChanged';

create view fact.discount_created as
select position, recorded_at, sequence, aggregate_id as discount_id,
    payload ->> 'code' as code, payload ->> 'kind' as kind, payload ->> 'value' as value,
    (payload ->> 'from')::timestamptz as "from", (payload ->> 'until')::timestamptz as until,
    (payload ->> 'total_limit')::bigint as total_limit, (payload ->> 'customer_limit')::bigint as customer_limit,
    (payload ->> 'minimum')::numeric as minimum
from fact.event where event_type = 'DiscountCreated';

create view fact.discount_changed as
select position, recorded_at, sequence, aggregate_id as discount_id,
    payload ->> 'kind' as kind, payload ->> 'value' as value,
    (payload ->> 'from')::timestamptz as "from", (payload ->> 'until')::timestamptz as until,
    (payload ->> 'total_limit')::bigint as total_limit, (payload ->> 'customer_limit')::bigint as customer_limit,
    (payload ->> 'minimum')::numeric as minimum
from fact.event where event_type = 'DiscountChanged';

create view fact.discount_ended as
select position, recorded_at, sequence, aggregate_id as discount_id
from fact.event where event_type = 'DiscountEnded';

create view fact.discount_used as
select position, recorded_at, sequence, aggregate_id as discount_id,
    (payload ->> 'order_id')::bigint as order_id, (payload ->> 'customer_id')::bigint as customer_id
from fact.event where event_type = 'DiscountUsed';

create view fact.discount_released as
select position, recorded_at, sequence, aggregate_id as discount_id,
    (payload ->> 'order_id')::bigint as order_id, (payload ->> 'customer_id')::bigint as customer_id
from fact.event where event_type = 'DiscountReleased';

create view fact.shop_media_base_changed as
select position, recorded_at, sequence, aggregate_id as settings_id,
    payload ->> 'base' as base, payload ->> 'previous_base' as previous_base
from fact.event where event_type = 'ShopMediaBaseChanged';
