-- Deletes a webhook.
create function write_remove_webhook(change jsonb, changed timestamptz)
returns void language plpgsql set search_path from current as $$
begin
    delete from webhook where webhook.webhook_id = (change ->> 'webhook_id')::bigint;
end
$$;
