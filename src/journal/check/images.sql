-- The order of a product's images follows from the order before and the change; each image has a number of its own.
select change.position, 'Product/' || change.aggregate_id as subject, change.expected, change.found
from (
    select step.position, step.aggregate_id,
        case step.event_type
            when 'ProductImageAdded' then (step.before || (step.payload -> 'image_id'))::text
            when 'ProductImageRemoved' then (
                select coalesce(jsonb_agg(image_id order by place), '[]')::text
                from jsonb_array_elements(step.before) with ordinality as image (image_id, place)
                where image_id <> step.payload -> 'image_id'
            )
            else (
                select coalesce(jsonb_agg(image_id order by image_id), '[]')::text
                from jsonb_array_elements(step.before) as image (image_id)
            )
        end as expected,
        case step.event_type
            when 'ProductImagesReordered' then (
                select coalesce(jsonb_agg(image_id order by image_id), '[]')::text
                from jsonb_array_elements(step.payload -> 'image_ids') as image (image_id)
            )
            else (step.payload -> 'image_ids')::text
        end as found
    from (
        select event.position, event.aggregate_id, event.event_type, event.payload,
            lag(event.payload -> 'image_ids', 1, '[]'::jsonb) over (
                partition by event.aggregate_id order by event.sequence
            ) as before
        from event_log as event
        where event.event_type in ('ProductImageAdded', 'ProductImageRemoved', 'ProductImagesReordered')
    ) as step
) as change
where change.expected is distinct from change.found
union all
select added.position, 'ProductImage/' || (added.payload ->> 'image_id'),
    'a number of product ' || added.aggregate_id, coalesce('of product ' || (taken.payload ->> 'product_id'), 'none')
from event_log as added
left join event_log as taken
    on taken.event_type = 'ProductImageNumbered' and taken.aggregate_id = added.payload ->> 'image_id'
where added.event_type = 'ProductImageAdded'
    and taken.payload ->> 'product_id' is distinct from added.aggregate_id
