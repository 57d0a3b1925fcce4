"""Permissions of the management API."""

from typing import Any

from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from apikeys.authentication import Principal
from apikeys.errors import ManagementRequired


class CanManage(BasePermission):
    """Allows keys with `can_manage`. Raises ManagementRequired for others, rather than DRF's own 403."""

    def has_permission(self, request: Request, view: Any) -> bool:
        if not (isinstance(request.user, Principal) and request.user.can_manage):
            raise ManagementRequired
        return True
