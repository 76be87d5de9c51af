-- Digest of a holder of unpaid stock: a customer, an e-mail address, a network or a shipping address.
create function unpaid_holder(kind text, value text)
returns bytea language sql stable set search_path from current as $$
    select substring(sha256(origin.digest_key || convert_to(kind || ':' || value, 'UTF8')) for 16)
    from shop_origin as origin
$$;
