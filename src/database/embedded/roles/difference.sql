-- The name of the superuser, and why the roles are not as `roles.sql` makes them; no row in a cluster of before it.
select
    superuser.rolname::text,
    case
        when reader.rolsuper or reader.rolcreaterole or reader.rolcreatedb or reader.rolreplication
            or reader.rolbypassrls or reader.rolconnlimit <> 20
            or coalesce(reader.rolvaliduntil, 'infinity') <> 'infinity'
            then '`reader` has other attributes'
        when exists (select from pg_auth_members where member = reader.oid)
            then '`reader` has the rights of other roles'
        when (
            select coalesce(array_agg(array_to_string(setconfig, ';')), '{}')
            from pg_db_role_setting where setrole in (owner.oid, reader.oid)
        ) <> array['search_path=live, fact;idle_in_transaction_session_timeout=5min']
            then '`cartwright` or `reader` has other settings'
    end
from pg_roles as superuser, pg_roles as owner, pg_roles as reader
where superuser.oid = 10 and owner.rolname = current_user and reader.rolname = $1
    and not owner.rolsuper and pg_has_role(owner.oid, reader.oid, 'member') and reader.rolcanlogin
