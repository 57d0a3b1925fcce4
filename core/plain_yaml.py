"""YAML of plain values alone: nothing in it runs, refers to other parts, or is written twice."""

from collections.abc import Hashable
from typing import Any

import yaml
from django.utils.translation import gettext

_MOST_LEVELS = 32
_LONGEST_NUMBER = 1_000
"""Characters. Who reads a file prints what is in it, and Python prints no number of thousands of digits."""


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """Of plain values alone; the fast one where libyaml was there when PyYAML was built."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """Refuses a name that is there twice, of which YAML would drop the first without a word."""
        seen: set[str] = set()
        for name in (each for each, _ in node.value if isinstance(each, yaml.ScalarNode)):
            if name.value in seen:
                problem = gettext("the name %s is there twice") % name.value[:64]
                raise yaml.constructor.ConstructorError(None, None, problem, name.start_mark)
            seen.add(name.value)
        mapping: dict[Hashable, Any] = super().construct_mapping(node, deep=deep)
        return mapping

    def construct_yaml_int(self, node: yaml.ScalarNode) -> int:
        """Refuses a number that is as long as no number is, in whatever base."""
        if len(node.value) > _LONGEST_NUMBER:
            problem = gettext("the number has more than %d digits") % _LONGEST_NUMBER
            raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark)
        number: int = super().construct_yaml_int(node)
        return number


_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.construct_yaml_int)


def load(text: str) -> Any:
    """Returns the value of a text.

    Raises yaml.YAMLError and ValueError for what is no YAML, yaml.MarkedYAMLError for aliases, by which a
    short text means a huge one or itself, for deep nesting and for numbers that are too long to print.
    """
    _require_plain(text)
    return yaml.load(text, _Loader)  # noqa: S506 - it derives from SafeLoader


def _require_plain(text: str) -> None:
    level = 0
    for event in yaml.parse(text, _Loader):
        if isinstance(event, yaml.AliasEvent):
            raise _refusal(gettext("aliases (*name) are not read: write the values out"), event)
        level += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if level > _MOST_LEVELS:
            raise _refusal(gettext("it is nested deeper than %d levels") % _MOST_LEVELS, event)


def _refusal(problem: str, event: yaml.Event) -> yaml.MarkedYAMLError:
    mark: Any = event.start_mark  # libyaml's has another class
    return yaml.parser.ParserError(None, None, problem, mark)
