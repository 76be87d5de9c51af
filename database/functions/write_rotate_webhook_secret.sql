-- Replaces the secret of a webhook. The previous secret signs beside it for a day.
create function write_rotate_webhook_secret(change jsonb, changed timestamptz)
returns void language plpgsql set search_path from current as $$
begin
    update webhook
    set previous_secret = webhook.secret,
        previous_secret_until = changed + interval '24 hours',
        secret = change ->> 'secret',
        changed_at = changed
    where webhook.webhook_id = (change ->> 'webhook_id')::bigint;
end
$$;
