"""Buttons on rows and on pages of a model that change something: unfold's actions, sent as a POST."""

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, TypeVar, cast

from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from unfold.decorators import action

Method = TypeVar("Method", bound=Callable[..., HttpResponse])


def posted(
    *, description: Any, url_path: str, icon: str, permissions: Sequence[str]
) -> Callable[[Method], Method]:
    """Makes a method an action for `actions_row` and `actions_detail` that is refused (405) unless posted.

    unfold renders actions as links, and a GET must change nothing: console.js posts those with `data-post`.
    The method is given the request and the id of the row.
    """
    as_action = action(
        description=description,
        url_path=url_path,
        icon=icon,
        permissions=permissions,
        attrs={"data-post": "true"},
    )

    def decorate(method: Method) -> Method:
        @wraps(method)
        def when_posted(page: Any, request: HttpRequest, object_id: str) -> HttpResponse:
            if request.method != "POST":
                return HttpResponseNotAllowed(["POST"])
            return method(page, request, object_id)

        return cast(Method, as_action(when_posted))

    return decorate
