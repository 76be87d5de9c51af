-- A stored answer names the position of its command's last event. A command without events has an answer too; events
-- recorded more than 24 hours before the answer belong to an earlier command with the same key.
with named as (
    select stored.key_digest, stored.position, max(event.position) as last_position
    from idempotency as stored
    join event_log as event
        on event.metadata ->> 'key_digest' = stored.key_digest
        and event.recorded_at >= stored.recorded_at - interval '24 hours'
    where event.metadata ? 'key_digest'
    group by stored.key_digest, stored.position
)
select
    last_position as position,
    'key ' || key_digest as subject,
    'its answer at position ' || last_position as expected,
    'its answer at position ' || position as found
from named
where position <> last_position
