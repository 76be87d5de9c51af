-- The privileges of others on a relation: the statements that grant them.
select format(
    'grant %s on %s to %s%s', granted.privilege_type, $1::text,
    case granted.grantee when 0 then 'public' else quote_ident(pg_get_userbyid(granted.grantee)) end,
    case when granted.is_grantable then ' with grant option' else '' end
)
from pg_class as relation, aclexplode(relation.relacl) as granted
where relation.oid = $1::text::regclass and granted.grantee <> relation.relowner
union all
select format(
    'grant %s (%I) on %s to %s%s', granted.privilege_type, attribute.attname, $1::text,
    case granted.grantee when 0 then 'public' else quote_ident(pg_get_userbyid(granted.grantee)) end,
    case when granted.is_grantable then ' with grant option' else '' end
)
from pg_class as relation
join pg_attribute as attribute on attribute.attrelid = relation.oid
cross join aclexplode(attribute.attacl) as granted
where relation.oid = $1::text::regclass and granted.grantee <> relation.relowner
