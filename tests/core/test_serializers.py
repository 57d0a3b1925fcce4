"""Nested serializers in a partial update: an item of a list is whole, a nested object is merged."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.urls import URLPattern, URLResolver, get_resolver
from rest_framework import serializers

from core.api.serializers import StrictSerializer

Serializer = serializers.BaseSerializer[Any]


class Item(StrictSerializer):
    name = serializers.CharField()
    pinned = serializers.ListField(child=serializers.CharField(), default=list)
    weight = serializers.IntegerField(default=3)
    note = serializers.CharField(required=False)


class Limits(StrictSerializer):
    a_minute = serializers.IntegerField(required=False)
    a_month = serializers.IntegerField(default=9)


class Shelf(StrictSerializer):
    items: Any = serializers.ListSerializer(child=Item())


class Row(StrictSerializer):
    name = serializers.CharField()
    items: Any = Item(many=True, required=False)
    shelves: Any = Shelf(many=True, required=False)
    limits = Limits(required=False)


def changes(**sent: Any) -> dict[str, Any]:
    serializer = Row(instance=object(), data=sent, partial=True)
    serializer.is_valid(raise_exception=True)
    return dict(serializer.validated_data)


def test_an_item_gets_its_defaults() -> None:
    assert changes(items=[{"name": "a"}]) == {"items": [{"name": "a", "pinned": [], "weight": 3}]}
    inner = changes(shelves=[{"items": [{"name": "a", "weight": 1}]}])
    assert inner == {"shelves": [{"items": [{"name": "a", "pinned": [], "weight": 1}]}]}


def test_an_item_needs_its_required_fields() -> None:
    for sent in ({"items": [{}]}, {"items": [{"name": "a"}, {"weight": 1}]}, {"shelves": [{}]}):
        with pytest.raises(serializers.ValidationError) as refusal:
            changes(**sent)
        assert list(refusal.value.detail) == list(sent)


def test_an_unknown_field_of_an_item_is_refused() -> None:
    with pytest.raises(serializers.ValidationError, match="no such field"):
        changes(items=[{"name": "a", "colour": "red"}])


def test_a_nested_object_is_partial_as_its_row_is() -> None:
    assert changes(limits={"a_minute": 1}) == {"limits": {"a_minute": 1}}
    assert changes() == {}


def views(patterns: list[URLPattern | URLResolver]) -> Iterator[Any]:
    for each in patterns:
        if isinstance(each, URLResolver):
            yield from views(each.url_patterns)
        elif (view := getattr(each.callback, "cls", None)) is not None:
            yield view


def nested(serializer: Any) -> Iterator[serializers.ListSerializer[Any]]:
    """The lists of objects that a caller may send, at any depth."""
    for field in getattr(serializer, "fields", {}).values():
        if field.read_only:
            continue
        if isinstance(field, serializers.ListSerializer):
            yield field
        yield from nested(getattr(field, "child", field))


def test_every_list_of_objects_in_the_management_api_has_strict_items() -> None:
    classes = {getattr(view, "serializer_class", None) for view in views(get_resolver().url_patterns)}
    read = [each for each in classes if each is not None and issubclass(each, StrictSerializer)]
    lists = [each for kind in read for each in nested(kind())]
    assert len(lists) >= 1
    assert all(isinstance(each.child, StrictSerializer) for each in lists)
