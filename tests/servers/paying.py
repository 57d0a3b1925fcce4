"""asking.py with a tool that does something: `paying.py FILE` adds a line to the file for each payment."""

import json
import sys
from pathlib import Path
from typing import Any

import asking
from asking import TOOLS, Call

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="


def pay(call: Call) -> dict[str, Any]:
    with Path(sys.argv[1]).open("a") as lines:
        lines.write(f"{call.arguments.get('to')}\n")
    image = {"type": "image", "data": PIXEL, "mimeType": "image/png"}
    text = {"type": "text", "text": "paid", "annotations": {"priority": 1}}
    return {**asking.FULL, "content": [text, image]}


TOOLS["pay"] = pay

if __name__ == "__main__":
    for line in sys.stdin:
        asking.receive(json.loads(line))
