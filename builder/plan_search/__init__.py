"""Plans found: which scheme each layer gets so that quality, bytes and cost stay within budgets.

Every decision is made on exported files, run in their own runtime on held-out data.
"""

from builder.plan_search.output import choose_places, write_found
from builder.plan_search.result import SearchResult, explain_unmet
from builder.plan_search.run import find_plans, search_variant

__all__ = ["SearchResult", "choose_places", "explain_unmet", "find_plans", "search_variant", "write_found"]
