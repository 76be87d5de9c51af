-- Views that read the relations $1, directly or through others, without the relations $2; a view before its readers.
with recursive reads (reader, read) as (
    select distinct rule.ev_class, uses.refobjid
    from pg_depend as uses
    join pg_rewrite as rule on rule.oid = uses.objid
    where uses.classid = 'pg_rewrite'::regclass and uses.refclassid = 'pg_class'::regclass
        and uses.refobjid <> rule.ev_class and rule.ev_class <> all ($2::text[]::regclass[]::oid[])
),
dependent (oid, depth) as (
    select reader, 1 from reads where read = any ($1::text[]::regclass[]::oid[])
    union
    select reads.reader, dependent.depth + 1
    from dependent
    join reads on reads.read = dependent.oid
    where dependent.depth < 64
),
found as (
    select oid, min(depth) = 1 as is_direct, max(depth) as depth from dependent group by oid
)
select
    schema.nspname::text as schema_name,
    relation.relname::text as view_name,
    named.name,
    quote_ident(pg_get_userbyid(relation.relowner)) as owner,
    quote_ident(current_user) as shop_role,
    kind = 'materialized view' as is_materialized,
    kind = 'materialized view' and relation.relispopulated as is_filled,
    found.is_direct,
    array(
        select format('%I.%I', read_schema.nspname, read.relname)
        from reads
        join pg_class as read on read.oid = reads.read
        join pg_namespace as read_schema on read_schema.oid = read.relnamespace
        where reads.reader = found.oid
    ) as reads,
    format('create or replace view %s%s as %s', named.name, options, definition) as replacement,
    array[
        format('create %s %s%s as %s', kind, named.name, options, definition)
            || case kind when 'materialized view' then ' with no data' else '' end
    ]
    || array(select pg_get_indexdef(indexrelid) from pg_index where indrelid = found.oid order by indexrelid)
    || array(
        select format(
            'grant %s on %s to %s%s', granted.privilege_type, named.name,
            case granted.grantee when 0 then 'public' else quote_ident(pg_get_userbyid(granted.grantee)) end,
            case when granted.is_grantable then ' with grant option' else '' end
        )
        from aclexplode(relation.relacl) as granted
        where granted.grantee <> relation.relowner
    )
    || array(
        select format(
            'grant %s (%I) on %s to %s%s', granted.privilege_type, attribute.attname, named.name,
            case granted.grantee when 0 then 'public' else quote_ident(pg_get_userbyid(granted.grantee)) end,
            case when granted.is_grantable then ' with grant option' else '' end
        )
        from pg_attribute as attribute, aclexplode(attribute.attacl) as granted
        where attribute.attrelid = found.oid
    )
    || array(
        select case
            when attribute.attname is null then format('comment on %s %s is %L', kind, named.name, comment.description)
            else format('comment on column %s.%I is %L', named.name, attribute.attname, comment.description)
        end
        from pg_description as comment
        left join pg_attribute as attribute
            on attribute.attrelid = comment.objoid and attribute.attnum = comment.objsubid and comment.objsubid > 0
        where comment.classoid = 'pg_class'::regclass and comment.objoid = found.oid
    )
    || case
        when relation.relowner = current_user::regrole then '{}'::text[]
        else array[format('alter %s %s owner to %I', kind, named.name, pg_get_userbyid(relation.relowner))]
    end as statements
from found
join pg_class as relation on relation.oid = found.oid and relation.relkind in ('v', 'm')
join pg_namespace as schema on schema.oid = relation.relnamespace
cross join lateral (
    select
        case relation.relkind when 'm' then 'materialized view' else 'view' end as kind,
        coalesce(' with (' || array_to_string(relation.reloptions, ', ') || ')', '') as options,
        rtrim(pg_get_viewdef(found.oid), ';') as definition,
        format('%I.%I', schema.nspname, relation.relname) as name
) as named
order by found.depth, found.oid
