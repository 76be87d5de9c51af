-- The roles of the cluster, in one transaction. Run by a stand-alone backend, whose user is the cluster's superuser, in
-- the database of the shop, or in `template1` before there is one. In this file no line inside the block is empty: an
-- empty line after a semicolon ends a statement of a stand-alone backend.
do $roles$
declare
    superuser name := (select rolname from pg_roles where oid = 10);
    is_old boolean := superuser = 'cartwright';
    old_objects text[] := '{}';
    statement text;
begin
    -- In clusters of earlier versions the superuser is called `cartwright`.
    if is_old then
        superuser := case
            when exists (select from pg_roles where rolname = 'postgres') then 'cartwright_superuser'
            else 'postgres'
        end;
        -- Neither the user of a session nor its current user can be renamed.
        create role cartwright_move superuser;
        set local session authorization cartwright_move;
        execute format('alter role cartwright rename to %I', superuser);
        execute format('set local session authorization %I', superuser);
        drop role cartwright_move;
        -- Everything that the old `cartwright` made in this database, except what belongs to an extension.
        old_objects := array(
            select format('alter %s owner to cartwright', item)
            from (
                select 10 as rank, 'pg_namespace'::regclass as catalog, oid, format('schema %I', nspname) as item
                from pg_namespace where nspowner = 10
                union all
                select 20, 'pg_class'::regclass, class.oid,
                    case relkind
                        when 'v' then 'view' when 'm' then 'materialized view' when 'S' then 'sequence'
                        when 'f' then 'foreign table' else 'table'
                    end || ' ' || class.oid::regclass
                from pg_class as class
                where relowner = 10 and relkind in ('r', 'p', 'v', 'm', 'S', 'f')
                    -- A sequence follows the table that owns it.
                    and not exists (
                        select from pg_depend
                        where classid = 'pg_class'::regclass and objid = class.oid and relkind = 'S'
                            and refclassid = 'pg_class'::regclass and deptype in ('a', 'i')
                    )
                union all
                select 30, 'pg_proc'::regclass, oid, format('routine %s', oid::regprocedure)
                from pg_proc where proowner = 10
                union all
                select 40, 'pg_type'::regclass, type.oid, format('type %s', type.oid::regtype)
                from pg_type as type
                left join pg_class as class on class.oid = type.typrelid
                where typowner = 10 and (typtype in ('d', 'e', 'r') or typtype = 'c' and class.relkind = 'c')
                union all
                select 50, 'pg_collation'::regclass, oid, format('collation %s', oid::regcollation)
                from pg_collation where collowner = 10
                union all
                select 60, 'pg_statistic_ext'::regclass, oid,
                    format('statistics %I.%I', stxnamespace::regnamespace::name, stxname)
                from pg_statistic_ext where stxowner = 10
                union all
                select 70, 'pg_operator'::regclass, oid, format('operator %s', oid::regoperator)
                from pg_operator where oprowner = 10
                union all
                select 80, 'pg_ts_dict'::regclass, oid, format('text search dictionary %s', oid::regdictionary)
                from pg_ts_dict where dictowner = 10
                union all
                select 90, 'pg_ts_config'::regclass, oid, format('text search configuration %s', oid::regconfig)
                from pg_ts_config where cfgowner = 10
                union all
                select 100, 'pg_largeobject_metadata'::regclass, oid, format('large object %s', oid)
                from pg_largeobject_metadata where lomowner = 10
            ) as found
            where (oid >= 16384 or catalog = 'pg_largeobject_metadata'::regclass)
                and not exists (
                    select from pg_depend as member
                    where member.classid = catalog and member.objid = found.oid and member.deptype = 'e'
                )
            order by rank, oid
        );
    end if;
    if not exists (select from pg_roles where rolname = 'cartwright') then
        create role cartwright login;
    end if;
    alter role cartwright login nosuperuser;
    if not exists (select from pg_roles where rolname = 'reader') then
        create role reader;
    end if;
    -- An operator may have made it, for example with the rights of other roles, and roles may change their own settings.
    alter role reader login nosuperuser nocreaterole nocreatedb noreplication nobypassrls
        connection limit 20 valid until 'infinity';
    for statement in
        select format(
            'revoke %I from reader%s cascade', pg_get_userbyid(roleid),
            case when current_setting('server_version_num')::int >= 160000
                then format(' granted by %I', pg_get_userbyid(grantor)) else '' end
        )
        from pg_auth_members where member = 'reader'::regrole
        union all
        select format(
            'alter role %I %s reset all', pg_get_userbyid(setrole),
            case setdatabase when 0 then '' else format('in database %I', datname) end
        )
        from pg_db_role_setting left join pg_database on pg_database.oid = setdatabase
        where setrole in ('cartwright'::regrole, 'reader'::regrole)
    loop
        execute statement;
    end loop;
    -- Defaults for people; each session may change them.
    alter role reader set search_path = live, fact;
    alter role reader set idle_in_transaction_session_timeout = '5min';
    -- The shop cancels queries that keep it from replacing a read table for too long.
    grant reader, pg_signal_backend to cartwright;
    if exists (select from pg_database where datname = 'cartwright') then
        alter database cartwright owner to cartwright;
        grant connect on database cartwright to reader;
    end if;
    -- A cluster that was upgraded from PostgreSQL 14 has this schema from there.
    if is_old and exists (select from pg_namespace where nspname = 'public' and nspowner = 10) then
        alter schema public owner to pg_database_owner;
    end if;
    foreach statement in array old_objects loop
        execute statement;
    end loop;
    -- Grants that the old `cartwright` had declared for what it was going to create.
    for statement in
        select format(
            'alter default privileges for role cartwright %s grant %s on %s to %s%s',
            case defaclnamespace when 0 then '' else format('in schema %s', defaclnamespace::regnamespace) end,
            granted.privilege_type,
            case defaclobjtype
                when 'r' then 'tables' when 'S' then 'sequences' when 'f' then 'functions' when 'T' then 'types'
                else 'schemas'
            end,
            case granted.grantee when 0 then 'public' else quote_ident(pg_get_userbyid(granted.grantee)) end,
            case when granted.is_grantable then ' with grant option' else '' end
        )
        from pg_default_acl, aclexplode(defaclacl) as granted
        where is_old and defaclrole = 10 and granted.grantee <> 10 and defaclobjtype in ('r', 'S', 'f', 'T', 'n')
    loop
        execute statement;
    end loop;
    -- passwords
end
$roles$;
