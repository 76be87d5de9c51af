-- Changes the fields of a webhook that are given; an empty text clears the description.
-- A webhook that is activated again receives the events after this change, and its kept deliveries are retried.
create function write_change_webhook(change jsonb, changed timestamptz)
returns void language plpgsql set search_path from current as $$
declare
    given_active boolean := (change ->> 'active')::boolean;
    last_position bigint;
begin
    select own.position into last_position from event_log as own
    where own.aggregate_type = 'Webhook' and own.aggregate_id = change ->> 'webhook_id'
    order by own.sequence desc
    limit 1;
    update webhook
    set url = coalesce(change ->> 'url', webhook.url),
        description = nullif(coalesce(change ->> 'description', webhook.description), ''),
        event_types = case
            when jsonb_typeof(change -> 'event_types') = 'array'
                then array(select jsonb_array_elements_text(change -> 'event_types'))
            else webhook.event_types
        end,
        active = coalesce(given_active, webhook.active),
        off_after = case when webhook.active and not given_active then last_position else webhook.off_after end,
        off_upto = case
            when webhook.active and not given_active then null
            when not webhook.active and given_active then last_position
            else webhook.off_upto
        end,
        dropped = case when webhook.active and not given_active then 0 else webhook.dropped end,
        failing_since = case when not webhook.active and given_active then null else webhook.failing_since end,
        disabled_at = case when given_active then null else webhook.disabled_at end,
        disabled_reason = case when given_active then null else webhook.disabled_reason end,
        retry_kept = webhook.retry_kept or not webhook.active and coalesce(given_active, false),
        changed_at = changed
    where webhook.webhook_id = (change ->> 'webhook_id')::bigint;
end
$$;
