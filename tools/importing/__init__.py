"""Import of servers from the files of MCP clients, and export to one.

`texts` reads a text, `clients` finds the servers in it, `entries` reads one, `applying` registers them.
"""

from tools.importing.applying import Imported, Outcome, apply, preview
from tools.importing.clients import Document, find_servers
from tools.importing.exporting import exported
from tools.importing.texts import read

__all__ = ["Document", "Imported", "Outcome", "apply", "exported", "find_servers", "preview", "read"]
