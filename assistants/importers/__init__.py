"""Moves here from another product: its own configuration or export becomes a configuration of ours."""

from assistants.importers.placing import Moved, place
from assistants.importers.products import LONGEST, PRODUCTS, read
from assistants.importers.writing import Written, write

__all__ = ["LONGEST", "PRODUCTS", "Moved", "Written", "place", "read", "write"]
