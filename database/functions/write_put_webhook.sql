-- Stores a new webhook. It receives the events after its first own event.
create function write_put_webhook(change jsonb, changed timestamptz)
returns void language plpgsql set search_path from current as $$
begin
    if change ? 'most' and (select count(*) from webhook) >= (change ->> 'most')::bigint then
        raise exception 'the shop has too many webhooks'
            using errcode = 'unique_violation', constraint = 'webhook_count';
    end if;
    insert into webhook (webhook_id, url, description, event_types, active, since, secret, created_at, changed_at)
    select
        (change ->> 'webhook_id')::bigint, change ->> 'url', change ->> 'description',
        array(select jsonb_array_elements_text(change -> 'event_types')), true, created.position, change ->> 'secret',
        changed, changed
    from event_log as created
    where created.aggregate_type = 'Webhook' and created.aggregate_id = change ->> 'webhook_id' and created.sequence = 1;
end
$$;
