"""The verbs of people who use the console, and of their groups. The console changes them through these alone.

Nobody gives what they do not have: only superusers make superusers and change them, and others give just the
permissions that they hold. And nobody locks everybody out: somebody who may manage people always remains, and
a superuser if there was one.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from django.contrib.auth.models import Group, Permission, User
from django.contrib.auth.password_validation import validate_password
from django.contrib.sessions.models import Session
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import connection, models, transaction
from django.utils.translation import gettext as _

from apikeys import audit
from core.actor import Actor
from core.errors import Conflict
from core.validation import clean

MANAGES_PEOPLE = "change_user"


def create(
    *, username: str, by: Actor, password: str = "", groups: Iterable[Group] = (), **fields: Any
) -> User:
    """Adds somebody who may log in to the console; without a password, once one is set.

    `fields` are those of User. Raises ValidationError by field, and Conflict.
    """
    person = User(username=username, is_staff=True, **fields)
    with transaction.atomic():
        _require_right_to_change(person, by)
        _require_right_to_grant("groups", _permissions_of(groups), by)
        _take_password(person, password)
        clean(person)
        person.save(force_insert=True)
        person.groups.set(groups)
        audit.created(person, by=by, groups=_group_names(person))
    return person


def update(person: User, *, by: Actor, groups: Iterable[Group] | None = None, **changes: Any) -> User:
    """Changes somebody; who is disabled is logged out at once. Raises ValidationError by field, Conflict."""
    stored = User.objects.get(pk=person.pk)
    with _nobody_locked_out(), audit.changing(person, by=by, groups=lambda: _group_names(person)):
        _require_right_to_change(stored, by)
        for name, value in changes.items():
            setattr(person, name, value)
        _require_right_to_change(person, by)
        clean(person)
        person.save(update_fields=list(changes))
        if groups is not None:
            gained = set(groups) - set(person.groups.all())
            _require_right_to_grant("groups", _permissions_of(gained), by)
            person.groups.set(groups)
        if not (person.is_active and person.is_staff):
            end_sessions(person)
    return person


def set_password(person: User, *, by: Actor, password: str) -> None:
    """Gives somebody a new password, which ends all of their sessions. Raises ValidationError by field."""
    with transaction.atomic():
        _require_right_to_change(User.objects.get(pk=person.pk), by)
        _take_password(person, password)
        person.save(update_fields=["password"])
        end_sessions(person)
        password_changed(person, by=by)


def password_changed(person: User, *, by: Actor) -> None:
    """Records a new password."""
    audit.happened("password changed", by=by, kind="user", object_id=person.pk, name=person.username)


def delete(person: User, *, by: Actor) -> None:
    """Deletes somebody. Their entries of the audit log stay."""
    with _nobody_locked_out():
        _require_right_to_change(User.objects.get(pk=person.pk), by)
        audit.deleted(person, by=by)
        end_sessions(person)
        person.delete()


def save_group(group: Group, *, by: Actor, permissions: Iterable[Permission] | None = None) -> Group:
    """Creates or changes a group. Raises ValidationError by field, and Conflict."""
    if group.pk is None:
        with transaction.atomic():
            clean(group)
            group.save()
            _grant(group, permissions or (), by)
            audit.created(group, by=by, permissions=_permission_names(group))
        return group
    with _nobody_locked_out(), audit.changing(group, by=by, permissions=lambda: _permission_names(group)):
        clean(group)
        group.save()
        if permissions is not None:
            _grant(group, permissions, by)
    return group


def delete_group(group: Group, *, by: Actor) -> None:
    """Deletes a group: its members lose what it allowed them."""
    with _nobody_locked_out():
        audit.deleted(group, by=by)
        group.delete()


def may_change(person: User, *, by: Actor) -> bool:
    """Returns whether somebody's rank allows to change this person: only superusers change superusers."""
    return not person.is_superuser or _is_unlimited(by)


def end_sessions(person: User) -> None:
    """Logs somebody out everywhere."""
    for session in Session.objects.iterator(chunk_size=500):
        if session.get_decoded().get("_auth_user_id") == str(person.pk):
            session.delete()


def _take_password(person: User, password: str) -> None:
    if not password:
        person.set_unusable_password()
        return
    try:
        validate_password(password, person)
    except ValidationError as error:
        raise ValidationError({"password": error.error_list}) from error
    person.set_password(password)


def _grant(group: Group, permissions: Iterable[Permission], by: Actor) -> None:
    wanted, present = set(permissions), set(group.permissions.all())
    _require_right_to_grant("permissions", wanted - present, by)
    group.permissions.set(wanted)


def _acting(by: Actor) -> User | None:
    return User.objects.filter(pk=by.id or 0).first() if by.kind == "staff" else None


def _is_unlimited(by: Actor) -> bool:
    """Commands and superusers are."""
    acting = _acting(by)
    return by.kind == "system" or (acting is not None and acting.is_superuser)


def _require_right_to_change(person: User, by: Actor) -> None:
    if not may_change(person, by=by):
        raise PermissionDenied(_("Only superusers make superusers, and change them."))


def _require_right_to_grant(field: str, permissions: Iterable[Permission], by: Actor) -> None:
    if _is_unlimited(by):
        return
    acting = _acting(by)
    held = acting.get_all_permissions() if acting else set()
    missing = [each for each in permissions if f"{each.content_type.app_label}.{each.codename}" not in held]
    if missing:
        message = _("You cannot give what you do not have yourself: %(names)s.")
        names = ", ".join(sorted(each.name for each in missing)[:5])
        raise ValidationError({field: message % {"names": names}})


def _permissions_of(groups: Iterable[Group]) -> list[Permission]:
    ids = [group.pk for group in groups]
    return list(Permission.objects.filter(group__in=ids).select_related("content_type").distinct())


@contextmanager
def _nobody_locked_out() -> Iterator[None]:
    """Undoes the block, and raises Conflict, if it takes what somebody must have from the last who has it.

    One such block runs at a time: else two of them could each remove who is the last one of the other.
    """
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(hashtext('apikeys.people'))")
        managers, superusers = _managers().exists(), _superusers().exists()
        yield
        if superusers and not _superusers().exists():
            raise Conflict(_("This is the last superuser: make another one first."), "last_superuser")
        if managers and not _managers().exists():
            raise Conflict(
                _("Nobody could manage people any more: let another one do so first."), "last_manager"
            )


def _active() -> models.QuerySet[User]:
    return User.objects.filter(is_active=True, is_staff=True)


def _superusers() -> models.QuerySet[User]:
    return _active().filter(is_superuser=True)


def _managers() -> models.QuerySet[User]:
    permission = models.Q(codename=MANAGES_PEOPLE, content_type__app_label="auth")
    managing = Permission.objects.filter(permission)
    return _active().filter(
        models.Q(is_superuser=True)
        | models.Q(groups__permissions__in=managing)
        | models.Q(user_permissions__in=managing)
    )


def _group_names(person: User) -> list[str]:
    return sorted(person.groups.values_list("name", flat=True))


def _permission_names(group: Group) -> list[str]:
    labels = group.permissions.values_list("content_type__app_label", "codename")
    return sorted(f"{app}.{codename}" for app, codename in labels)
