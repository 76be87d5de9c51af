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
where kind = $1
    and digest = decode($2, 'hex')
