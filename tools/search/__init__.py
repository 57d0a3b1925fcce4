"""Search: finds the few tools that a request needs among thousands."""

from tools.search.fusion import Why
from tools.search.scope import EVERYTHING, Scope
from tools.search.searching import Found, Hit, Ranking, rank, read_as, search

__all__ = ["EVERYTHING", "Found", "Hit", "Ranking", "Scope", "Why", "rank", "read_as", "search"]
