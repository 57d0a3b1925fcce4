from typing import Any

from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from apikeys.authentication import Principal
from apikeys.errors import ManagementRequired


class CanManage(BasePermission):
    """The caller's key has `can_manage`."""

    def has_permission(self, request: Request, view: Any) -> bool:
        if not (isinstance(request.user, Principal) and request.user.can_manage):
            raise ManagementRequired
        return True
