-- Changes the fields of a webhook that are given; an empty text clears the description.
create function write_change_webhook(change jsonb, changed timestamptz)
returns void language plpgsql set search_path from current as $$
begin
    update webhook
    set url = coalesce(change ->> 'url', webhook.url),
        description = nullif(coalesce(change ->> 'description', webhook.description), ''),
        event_types = case
            when jsonb_typeof(change -> 'event_types') = 'array'
                then array(select jsonb_array_elements_text(change -> 'event_types'))
            else webhook.event_types
        end,
        active = coalesce((change ->> 'active')::boolean, webhook.active),
        changed_at = changed
    where webhook.webhook_id = (change ->> 'webhook_id')::bigint;
end
$$;
