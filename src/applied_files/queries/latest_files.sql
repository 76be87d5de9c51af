select
    kind,
    encode(digest, 'hex') as "digest!",
    name,
    total_rows,
    applied_rows,
    counts as "counts!: sqlx::types::Json<Counts>",
    refused as "refused!: sqlx::types::Json<Vec<RefusedRow>>",
    backup,
    began_at,
    changed_at
from applied_file
order by (applied_rows < total_rows) desc, changed_at desc
limit $1
