"""Reading what another process has sent, which may be of an earlier or a later release."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, TypeVar, cast

T = TypeVar("T")


def known(kind: type[T], sent: Mapping[str, Any]) -> T:
    """Returns a dataclass of those fields that it knows."""
    names = {each.name for each in fields(cast(Any, kind))}
    return kind(**{name: value for name, value in sent.items() if name in names})
