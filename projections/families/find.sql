select name, options as "options: _", version
from families
where family_id = $1
