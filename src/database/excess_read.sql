-- A table of the shop outside of `live` and `fact` that the role `reader` can read; no row if there is none.
select format('%I.%I', nspname, relname)
from pg_class as class
join pg_namespace as schema on schema.oid = relnamespace
join pg_roles as reader on reader.rolname = 'reader'
where relkind in ('r', 'p', 'v', 'm')
    and (nspname = 'public' or nspname in (select schema from public.projection))
    and pg_has_role(current_user, relowner, 'usage')
    and has_schema_privilege(reader.oid, schema.oid, 'usage')
    and has_any_column_privilege(reader.oid, class.oid, 'select')
    and not exists (
        select from pg_depend where classid = 'pg_class'::regclass and objid = class.oid and deptype = 'e'
    )
order by class.oid
limit 1
