"""Import of servers from the files of MCP clients, and export to one.

`texts` reads a text, `clients` finds the servers in it, `entries` reads one, `applying` registers them.
"""

from tools.importing.applying import Imported, Outcome, apply, connection_type_of, preview, settings_of
from tools.importing.clients import MOST_SERVERS, Document, find_servers, host
from tools.importing.entries import OFF, ON, Entry, is_credential, read_entry, switch
from tools.importing.exporting import exported
from tools.importing.texts import load, read

__all__ = [
    "MOST_SERVERS", "OFF", "ON", "Document", "Entry", "Imported", "Outcome", "apply", "connection_type_of",
    "exported", "find_servers", "host", "is_credential", "load", "preview", "read", "read_entry",
    "settings_of", "switch",
]  # fmt: skip
