-- Distributes the tables by tenant; docs/scaling.md says why so, and that it was not run on Citus. As the owner of the tables, on the
-- coordinator, by psql. It may be run again: what is distributed already is left alone.

-- Policies of distributed tables may have no subquery.
DO $$
DECLARE
    found record;
    rule text;
BEGIN
    FOR found IN SELECT tablename, policyname, qual, with_check FROM pg_policies
        WHERE schemaname = 'public' AND concat(qual, with_check) LIKE '%SELECT%'
    LOOP
        IF found.policyname = 'tenant' THEN
            rule := $rule$tenant_id = nullif(current_setting('app.tenant_id', true), '')$rule$;
        ELSE
            -- Of a question across tenants, whose name is that of the policy without the command.
            rule := format(
                $rule$current_setting('app.question', true) = %L$rule$, regexp_replace(found.policyname, '_[a-z]+$', '')
            );
        END IF;
        EXECUTE format('ALTER POLICY %I ON %I', found.policyname, found.tablename)
            || CASE WHEN found.qual IS NULL THEN '' ELSE format(' USING (%s)', rule) END
            || CASE WHEN found.with_check IS NULL THEN '' ELSE format(' WITH CHECK (%s)', rule) END;
    END LOOP;
END $$;

-- Asked before the tenant is known, or by every tenant, and small: a copy on every node.
SELECT format('SELECT create_reference_table(%L)', name)
FROM unnest(ARRAY['tenant', 'api_key', 'former_secret']) WITH ORDINALITY AS wanted (name, turn)
WHERE NOT EXISTS (SELECT FROM pg_dist_partition WHERE logicalrelid = name::regclass)
ORDER BY turn
\gexec

SELECT 'SELECT create_distributed_table(''client'', ''tenant_id'', shard_count := 64)'
WHERE NOT EXISTS (SELECT FROM pg_dist_partition WHERE logicalrelid = 'client'::regclass)
\gexec

-- All others together with it, so that a tenant's rows are on one node; put_away last, as it refers to checkpoint.
SELECT format('SELECT create_distributed_table(%L, %L, colocate_with := %L)', name, 'tenant_id', 'client')
FROM (
    SELECT c.relname AS name, c.oid AS id FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND a.attname = 'tenant_id' AND NOT a.attisdropped
) AS wanted
WHERE NOT EXISTS (SELECT FROM pg_dist_partition WHERE logicalrelid = id)
ORDER BY name = 'put_away', name
\gexec
