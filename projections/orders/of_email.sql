-- Who ordered with an e-mail address: the customer who has it, and the orders of guests who gave it, latest first.
select
    (
        select profile.customer_id
        from customer_profile as profile
        where lower(profile.email) = lower($1)
    ) as customer_id,
    array(
        select contact.order_id
        from order_contact as contact
        where lower(contact.email) = lower($1)
        order by contact.order_id desc
        limit $2
    ) as "guest_orders!"
