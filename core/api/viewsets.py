"""The base class of the management API: verbs, versions, partial updates."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

from django.db import models, transaction
from django.http import Http404
from rest_framework import mixins, viewsets
from rest_framework.exceptions import APIException
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from core.actor import Actor
from core.api.pagination import HeaderPagination


class PreconditionFailed(APIException):
    """412: the version that `If-Match` names is not the present one (RFC 9110, section 13.1.1)."""

    status_code = 412
    default_code = "version_conflict"
    default_detail = "Somebody changed it since you read it. Read it again, then repeat your change."


class ManagementViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[Any]):
    """A PUT may be partial, as a PATCH is. With `If-Match`, only the version that it names is changed."""

    # The docstring is what the OpenAPI document says of views without one. Subclasses call the verbs of their
    # app in `perform_create`, `perform_update` and `perform_destroy`.

    pagination_class = HeaderPagination
    slug_field: ClassVar[str | None] = None
    """The field by which items are found as well as by their id; None: by the id alone."""

    @property
    def actor(self) -> Actor:
        return Actor.of(self.request)

    def get_object(self) -> Any:
        return self._found(self.filter_queryset(self.get_queryset()))

    def _found(self, rows: models.QuerySet[Any]) -> Any:
        return found(rows, self.kwargs["pk"], slug_field=self.slug_field)

    def _locked(self) -> Any:
        """Locks the item for a change. Raises Http404 and PreconditionFailed. Call it in a transaction."""
        # Without the relations that an answer shows: a verb reads those that it changes.
        row = self._found(self.get_queryset().prefetch_related(None).select_for_update(of=("self",)))
        expected = self.request.headers.get("If-Match")
        if expected and expected != "*" and etag(row) not in [tag.strip() for tag in expected.split(",")]:
            raise PreconditionFailed
        return row

    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return self.answer(self.get_object())

    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return self.answer(self.perform_create(self._validated(None)), status=201)

    def update(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        with transaction.atomic():
            row = self._locked()
            serializer = self._valid(row)
            validated = dict(serializer.validated_data)
            self.perform_update(row, validated)
            row = self.shown(row, validated)
        # By the same serializer: making one takes longer than what it renders.
        return _answered(row, serializer.to_representation(row))

    def partial_update(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return self.update(request, *args, **kwargs)

    def destroy(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        with transaction.atomic():
            self.perform_destroy(self._locked())
        return Response(status=204)

    def answer(self, row: Any, *, status: int = 200, **extra: Any) -> Response:
        return _answered(row, {**self.get_serializer(row).data, **extra}, status=status)

    def _validated(self, row: Any) -> dict[str, Any]:
        return dict(self._valid(row).validated_data)

    def _valid(self, row: Any) -> BaseSerializer[Any]:
        serializer: BaseSerializer[Any] = self.get_serializer(
            row, data=self.request.data, partial=row is not None
        )
        serializer.is_valid(raise_exception=True)
        return serializer

    def shown(self, row: Any, validated: Mapping[str, Any]) -> Any:
        """Returns a row that was changed, with all that an answer shows: it is read anew.

        Subclasses spare that where the row holds it already. `validated` is what was changed.
        """
        return self._found(self.get_queryset())

    @abstractmethod
    def perform_create(self, validated: dict[str, Any]) -> Any:
        """Creates the row and returns it."""

    @abstractmethod
    def perform_update(self, row: Any, validated: dict[str, Any]) -> object:
        """Changes the row. `validated` holds only the fields that were sent."""

    @abstractmethod
    def perform_destroy(self, row: Any) -> object:
        """Deletes the row."""


def found(rows: models.QuerySet[Any], value: str, *, slug_field: str | None) -> Any:
    """Returns the row with this id or slug. Raises Http404."""
    value = value.replace("\0", "\ufffd")  # PostgreSQL fails on NUL
    if value.isascii() and value.isdigit():
        row = rows.filter(pk=value).first()
    else:
        row = rows.filter(**{slug_field: value}).first() if slug_field else None
    if row is None:
        raise Http404
    return row


def _answered(row: Any, data: dict[str, Any], *, status: int = 200) -> Response:
    return Response(data, status=status, headers={"ETag": etag(row)})


def etag(row: Any) -> str:
    """Returns the entity tag of a row: its version."""
    return f'"{row.version}"'
