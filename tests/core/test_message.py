"""Messages are made in English, travel as JSON, and are said in the language of whoever reads them."""

import copy
import json

from django.utils.translation import override

from core.message import Message, joined, restored, said, stored, told

MISSING = Message("The server needs the variable %(names)s.", names="API_KEY")


def in_chinese(text: str) -> str:
    with override("zh-hans"):
        return str(said(text))


def test_a_message_is_its_english_text() -> None:
    with override("zh-hans"):
        assert MISSING == "The server needs the variable API_KEY."
    assert in_chinese(MISSING) == "服务器需要变量 API_KEY。"


def test_a_message_comes_back_from_json() -> None:
    nested = Message("%(meaning)s: %(line)s", meaning=Message("The server needs credentials"), line="%s 401")
    for message in (MISSING, nested, Message("The server is stopped."), joined(MISSING, "npm 100%")):
        found = restored(json.loads(json.dumps(stored(message))))
        assert (found, in_chinese(found)) == (message, in_chinese(message))
        assert in_chinese(found) != found
    assert in_chinese(nested) == "服务器需要凭据\uff1a%s 401"


def test_what_was_stored_without_parts_is_said_as_well() -> None:
    old = restored({"message": "The server is stopped."})
    assert in_chinese(old) != old
    foreign = restored({"message": "Error 100%: no %(such)s"})
    assert in_chinese(foreign) == "Error 100%: no %(such)s"


def test_an_error_keeps_the_message_that_it_was_raised_with() -> None:
    assert in_chinese(told(ValueError(MISSING))) == "服务器需要变量 API_KEY。"
    assert told(ValueError("as it is")) == "as it is"
    assert in_chinese(copy.deepcopy(MISSING)) == "服务器需要变量 API_KEY。"
