-- Gives the role `reader` schemas `live` and `fact`: what is there, and what the shop is going to create. Writes nothing
-- where nothing is missing, so that a start does not disturb nodes that run.
do $$
declare
    may_create boolean := (select rolcreaterole or rolsuper from pg_roles where rolname = current_user);
    statement text;
begin
    if to_regnamespace('fact') is null then
        create schema fact;
    end if;
    if to_regrole('reader') is null then
        if not may_create then
            return;
        end if;
        begin
            -- Without a login, so that it opens no door: operators add one, or make people members.
            create role reader;
        exception
            when duplicate_object or unique_violation then
                null; -- The shop of another database was faster.
        end;
    end if;
    if may_create and not exists (
        select from pg_db_role_setting join pg_database on pg_database.oid = setdatabase
        where datname = current_database() and setrole = 'reader'::regrole
    ) then
        begin
            execute format('alter role reader in database %I set search_path = live, fact', current_database());
            execute format(
                'alter role reader in database %I set idle_in_transaction_session_timeout = %L',
                current_database(), '5min'
            );
        exception
            when insufficient_privilege then
                null; -- `cartwright sql` sets them too.
        end;
    end if;
    if may_create and not pg_has_role(current_user, 'reader', 'member') then
        begin
            execute format('grant reader to %I', current_user);
        exception
            when insufficient_privilege then
                null; -- Another role created it.
        end;
    end if;
    for statement in
        select format('grant usage on schema %I to reader', nspname)
        from pg_namespace
        where nspname in ('live', 'fact') and not has_schema_privilege('reader', oid, 'usage')
        union all
        select format('grant select on %s to reader', oid::regclass)
        from pg_class
        where relnamespace in (to_regnamespace('live'), to_regnamespace('fact')) and relkind in ('r', 'p', 'v', 'm')
            and not has_table_privilege('reader', oid, 'select')
            -- What others made there is theirs to grant.
            and pg_has_role(current_user, relowner, 'usage')
        union all
        select format('alter default privileges in schema %I grant select on tables to reader', nspname)
        from pg_namespace as schema
        where nspname in ('live', 'fact')
            and not exists (
                select from pg_default_acl, aclexplode(defaclacl) as granted
                where defaclnamespace = schema.oid and defaclobjtype = 'r'
                    and defaclrole = current_user::regrole and granted.grantee = 'reader'::regrole
            )
    loop
        execute statement;
    end loop;
end
$$;
