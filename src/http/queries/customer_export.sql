-- $1 the customer; $2 to $6 the last order, sign-in, session, link and position that were shown; $7 the limit.
select
    profile.customer_id,
    profile.first_name,
    profile.last_name,
    profile.email,
    customer.registered_at,
    coalesce((
        select pairs from entity_metadata as kept where kept.kind = 'customer' and kept.id = profile.customer_id::text
    ), '{}') as "metadata!: _",
    coalesce((
        select pairs from entity_metadata as kept where kept.kind = 'cart' and kept.id = profile.customer_id::text
    ), '{}') as "cart_metadata!: _",
    coalesce(to_json(held), 'null') as "account!: _",
    (
        select coalesce(json_agg(row order by row.address_id), '[]')
        from (
            select address_id, name, line1, line2, postal_code, city, region, country, default_shipping, default_billing
            from address
            where address.customer_id = profile.customer_id
        ) as row
    ) as "addresses!: _",
    (
        select coalesce(json_agg(row order by row.product_id), '[]')
        from (
            select item.product_id, coalesce(product.name, deleted.name) as product_name, item.quantity
            from cart_items as item
            left join products as product using (product_id)
            left join products_deleted as deleted using (product_id)
            where item.cart_id = profile.customer_id::text
        ) as row
    ) as "cart!: _",
    (
        select coalesce(json_agg(row order by row.added_at desc, row.product_id), '[]')
        from (
            select item.product_id, coalesce(product.name, deleted.name) as product_name, item.added_at
            from wishlist_items as item
            left join products as product using (product_id)
            left join products_deleted as deleted using (product_id)
            where item.customer_id = profile.customer_id
        ) as row
    ) as "wishlist!: _",
    (
        select coalesce(json_agg(row order by row.order_id), '[]')
        from (
            select placed.order_id, placed.placed_at, placed.status, placed.total::text as total_amount,
                (
                    select json_agg(entry order by entry.line)
                    from (
                        select line, product_id, product_name, category_name, quantity,
                            unit_price::text as unit_price, subtotal::text as subtotal
                        from order_lines
                        where order_lines.order_id = placed.order_id
                    ) as entry
                ) as lines,
                (
                    select coalesce(json_agg(entry order by entry.kind desc), '[]')
                    from (
                        select kind, name, line1, line2, postal_code, city, region, country
                        from order_address
                        where order_address.order_id = placed.order_id
                            and order_address.customer_id = profile.customer_id
                    ) as entry
                ) as addresses,
                coalesce((
                    select pairs from entity_metadata as kept where kept.kind = 'order' and kept.id = placed.order_id::text
                ), '{}') as metadata
            from orders as placed
            where placed.customer_id = profile.customer_id and placed.order_id > $2
            order by placed.order_id
            limit $7
        ) as row
    ) as "orders!: _",
    (
        select coalesce(json_agg(row order by row.sign_in_id), '[]')
        from (
            select sign_in_id, happened_at, outcome, address, user_agent
            from sign_in
            where sign_in.account_id = held.account_id and sign_in_id > $3
            order by sign_in_id
            limit $7
        ) as row
    ) as "sign_ins!: _",
    (
        select coalesce(json_agg(row order by row.session_id), '[]')
        from (
            select session_id, started_at, expires_at
            from session
            where session.account_id = held.account_id and session_id > $4
            order by session_id
            limit $7
        ) as row
    ) as "sessions!: _",
    (
        select coalesce(json_agg(row order by row.link_id), '[]')
        from (
            select link_id, purpose, first_name, last_name, email, network, requested_at, expires_at
            from mailed_link
            where (lower(mailed_link.email) = lower(profile.email) or mailed_link.account_id = held.account_id)
                and link_id > $5
            order by link_id
            limit $7
        ) as row
    ) as "mailed_links!: _",
    (
        select coalesce(json_agg(row order by row.position), '[]')
        from (
            select position, recorded_at, aggregate_type, event_type, payload,
                metadata ->> 'actor' as actor, metadata ->> 'role' as role, metadata ->> 'request_id' as request_id
            from event_log
            where (aggregate_type, aggregate_id) in (
                    ('Customer', profile.customer_id::text),
                    ('Cart', profile.customer_id::text),
                    ('Wishlist', profile.customer_id::text),
                    ('Account', held.account_id::text)
                )
                and position > $6
            order by position
            limit $7
        ) as row
    ) as "history!: _"
from customer_profile as profile
join customers as customer using (customer_id)
left join lateral (
    select account_id, role, email, opened_at, disabled_at
    from account
    where account.customer_id = profile.customer_id
) as held on true
where profile.customer_id = $1
