select search_language, low_stock_threshold, version
from settings
where settings_id = $1
