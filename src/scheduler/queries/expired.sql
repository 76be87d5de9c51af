-- Number of expired records that the cleanup tasks would delete at once.
select
    (select count(*) from idempotency where recorded_at < clock_timestamp() - interval '24 hours')
    + (select count(*) from session where expires_at < clock_timestamp())
    + (select count(*) from mailed_link where expires_at < clock_timestamp())
    + (select count(*) from payment_instrument where given_at < clock_timestamp() - interval '1 day') as "expired!"
