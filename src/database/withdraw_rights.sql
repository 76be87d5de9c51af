-- Rights of the role `reader` in the shop's own schemas that go beyond reading `live` and `fact`: what they are for, and
-- the statement that withdraws them. Schemas of operators are none of the shop's; what others own is theirs to withdraw.
with reader as (
    select oid from pg_roles where rolname = 'reader'
),
schemas as (
    select oid, nspname, nspowner, nspacl, nspname in ('live', 'fact') as is_readable
    from pg_namespace
    where nspname in ('public', 'live', 'fact') or nspname in (select schema from public.projection)
),
relations as (
    select class.oid, relacl, is_readable and relkind <> 'S' as is_readable,
        format('%s %I.%I', case relkind when 'S' then 'sequence' else 'table' end, nspname, relname) as item
    from pg_class as class
    join schemas on schemas.oid = relnamespace
    where relkind in ('r', 'p', 'v', 'm', 'S', 'f') and pg_has_role(current_user, relowner, 'usage')
)
select item, format(
        'revoke %s on %s from reader cascade',
        case when is_readable then 'insert, update, delete, truncate, references, trigger' else 'all' end, item
    ) as statement
from relations, reader
where exists (
    select from (
        select granted.* from aclexplode(relacl) as granted
        union all
        select granted.* from pg_attribute, aclexplode(attacl) as granted where attrelid = relations.oid
    ) as granted
    where granted.grantee = reader.oid and not (is_readable and granted.privilege_type in ('SELECT', 'MAINTAIN'))
)
union all
select format('schema %I', nspname), format(
        'revoke %s on schema %I from reader cascade', case when is_readable then 'create' else 'all' end, nspname
    )
from schemas, reader
where pg_has_role(current_user, nspowner, 'usage') and exists (
    select from aclexplode(nspacl) as granted
    where granted.grantee = reader.oid and not (is_readable and granted.privilege_type = 'USAGE')
)
union all
select format('routine %s', routine.oid::regprocedure),
    format('revoke all on routine %s from reader cascade', routine.oid::regprocedure)
from reader, pg_proc as routine
join schemas on schemas.oid = pronamespace
where pg_has_role(current_user, proowner, 'usage')
    and exists (select from aclexplode(proacl) as granted where granted.grantee = reader.oid)
union all
select 'default privileges', format(
        'alter default privileges %s revoke %s on %s from reader',
        case when nspname is null then '' else format('in schema %I', nspname) end,
        case when is_readable and defaclobjtype = 'r'
            then 'insert, update, delete, truncate, references, trigger' else 'all' end,
        case defaclobjtype
            when 'r' then 'tables' when 'S' then 'sequences' when 'f' then 'functions' when 'T' then 'types'
            else 'schemas'
        end
    )
from reader, pg_default_acl
left join schemas on schemas.oid = defaclnamespace
where defaclrole = current_user::regrole and defaclobjtype in ('r', 'S', 'f', 'T', 'n')
    and (defaclnamespace = 0 or schemas.oid is not null)
    and exists (
        select from aclexplode(defaclacl) as granted
        where granted.grantee = reader.oid and not (
            coalesce(is_readable, false) and defaclobjtype = 'r' and granted.privilege_type in ('SELECT', 'MAINTAIN')
        )
    )
