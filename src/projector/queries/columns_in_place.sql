-- The columns of the table $2 in the order of the view $1, new ones last; null if the view has a column that the table
-- has not, or has with another type.
select case when bool_and(new_column.attname is not null) filter (where old_column.attname is not null) is not false then
    array_agg(
        quote_ident(coalesce(old_column.attname, new_column.attname)) order by old_column.attnum, new_column.attnum
    )
end
from (
    select attname, attnum, atttypid, atttypmod, attcollation
    from pg_attribute
    where attrelid = to_regclass($1) and attnum > 0 and not attisdropped
) as old_column
full join (
    select attname, attnum, atttypid, atttypmod, attcollation
    from pg_attribute
    where attrelid = to_regclass($2) and attnum > 0 and not attisdropped
) as new_column
    on new_column.attname = old_column.attname
    and new_column.atttypid = old_column.atttypid
    and new_column.atttypmod = old_column.atttypmod
    and new_column.attcollation = old_column.attcollation
