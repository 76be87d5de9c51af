select description from webhook where webhook_id = $1
