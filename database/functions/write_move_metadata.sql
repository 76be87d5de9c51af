-- Moves the metadata of a cart to its order or to another cart. `replace` says whether it replaces metadata there.
create function write_move_metadata(change jsonb, changed timestamptz)
returns void language plpgsql set search_path from current as $$
declare
    given record;
begin
    select * into given
    from jsonb_to_record(change) as given (cart_id text, kind text, id text, customer_id bigint, replace boolean);
    with moved as (
        delete from entity_metadata as kept
        where kept.kind = 'cart' and kept.id = given.cart_id
        returning kept.pairs
    )
    insert into entity_metadata as kept (kind, id, customer_id, pairs, changed_at)
    select given.kind, given.id, given.customer_id, moved.pairs, changed
    from moved
    on conflict (kind, id) do update
    set pairs = case when given.replace then excluded.pairs else kept.pairs end,
        changed_at = case when given.replace then excluded.changed_at else kept.changed_at end;
end
$$;
