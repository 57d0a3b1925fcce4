"""The command that the conformance suite starts as a client: `command.py PORT URL`.

It tells the test's process, at this port, what the suite wants, and exits as that says: a client started
anew for each of dozens of scenarios would mostly import.
"""

import json
import os
import socket
import sys

port, url = sys.argv[1:]
wanted = {
    "url": url,
    "scenario": os.environ["MCP_CONFORMANCE_SCENARIO"],
    "version": os.environ["MCP_CONFORMANCE_PROTOCOL_VERSION"],
    "context": json.loads(os.environ.get("MCP_CONFORMANCE_CONTEXT", "{}")),
}
with socket.create_connection(("127.0.0.1", int(port))) as test, test.makefile("rw") as lines:
    print(json.dumps(wanted), file=lines, flush=True)
    error = json.loads(lines.readline())
sys.exit(error)
