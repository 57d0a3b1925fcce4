"""asking.py that tells of ended elicitations and hears of changed roots: `telling.py`.

finish  says that what a URL was for is done, now or so many seconds `after` the call
roots   the answers to what it asks when the roots have changed, though no call is under way
"""

import json
import sys
import threading
from typing import Any

from asking import TOOLS, Call, notify, numbers, receive, text

roots: list[Any] = []


def finish(call: Call) -> dict[str, Any]:
    def tell() -> None:
        notify("elicitation/complete", elicitationId="1", more=1)

    if after := call.arguments.get("after"):
        threading.Timer(after, tell).start()
    else:
        tell()
    return text("finished")


def fetch_roots() -> None:
    roots.append(Call({"id": f"roots-{next(numbers)}", "params": {}}).ask("roots/list"))


TOOLS |= {"finish": finish, "roots": lambda _: text(roots)}

if __name__ == "__main__":
    for line in sys.stdin:
        message = json.loads(line)
        receive(message)
        if message.get("method") == "notifications/roots/list_changed":
            threading.Thread(target=fetch_roots, daemon=True).start()
