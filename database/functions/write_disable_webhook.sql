-- Stops the deliveries of a webhook after its last own event, unless a delivery has succeeded in the meantime.
create function write_disable_webhook(change jsonb, changed timestamptz)
returns void language plpgsql set search_path from current as $$
begin
    update webhook
    set active = false,
        disabled_at = changed,
        disabled_reason = change ->> 'reason',
        off_after = last.position,
        off_upto = null,
        dropped = 0,
        changed_at = changed
    from (
        select own.position from event_log as own
        where own.aggregate_type = 'Webhook' and own.aggregate_id = change ->> 'webhook_id'
        order by own.sequence desc
        limit 1
    ) as last
    where webhook.webhook_id = (change ->> 'webhook_id')::bigint
        and (
            change ->> 'failing_since' is null
            or webhook.failing_since = (change ->> 'failing_since')::timestamptz
        );
    if not found then
        raise exception 'a delivery has succeeded'
            using errcode = 'unique_violation', constraint = 'webhook_still_failing';
    end if;
end
$$;
