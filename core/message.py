"""Messages: texts of ours for people, in English, that a page can say in the language of its reader.

Most are made where nobody reads: in a worker, which stores them or sends them to another process.
"""

from collections.abc import Mapping
from typing import Any, Self

from django.utils.translation import gettext

PARTS = "translatable"
"""The key of a message's parts in JSON, beside `message`."""


class Message(str):
    """The English text, for APIs and logs; `template` and `values` are what it is made of.

    `template` is a string of the catalogue with named placeholders. What a foreign program has written is a
    value and stays as it is; a value that is a Message is said in the reader's language, too.
    """

    template: str
    values: Mapping[str, Any]

    def __new__(cls, template: str, **values: Any) -> Self:
        text = super().__new__(cls, template % values if values else template)
        text.template, text.values = template, values
        return text

    def said(self) -> str:
        """Returns the text in the active language."""
        template = gettext(self.template)
        values = {name: said(value) for name, value in self.values.items()}
        return template % values if values else template


def said(text: Any) -> Any:
    """Returns a Message in the active language, and whatever else as it is."""
    return text.said() if isinstance(text, Message) else text


def joined(*texts: str) -> Message:
    """Returns one text of several sentences."""
    first, *others = [text for text in texts if text] or [""]
    if others:
        return Message("%(first)s %(second)s", first=first, second=joined(*others))
    return first if isinstance(first, Message) else Message(first)


def told(error: BaseException) -> Message:
    """Returns the text of an error for people, with its parts if it was raised with a Message."""
    given = (getattr(error, "message", None), *error.args[:1])
    return next((text for text in given if isinstance(text, Message)), Message(str(error)))


def stored(text: str) -> dict[str, Any]:
    """Returns a text as JSON: `message` in English and, of a Message, the parts that `restored` reads."""
    parts = {PARTS: _parts(text)} if isinstance(text, Message) and text.values else {}
    return {"message": str(text), **parts}


def restored(content: Mapping[str, Any]) -> Message:
    """Returns the text that `stored` has turned into JSON."""
    return _made(content[PARTS]) if PARTS in content else Message(content["message"])


def _parts(message: Message) -> dict[str, Any]:
    values = {
        name: _parts(value) if isinstance(value, Message) else value for name, value in message.values.items()
    }
    return {"template": message.template, "values": values}


def _made(parts: Mapping[str, Any]) -> Message:
    values = {
        name: _made(value) if isinstance(value, dict) else value for name, value in parts["values"].items()
    }
    return Message(parts["template"], **values)
