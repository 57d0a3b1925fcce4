"""People and groups: who may change whom, and that nobody is locked out."""

from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.test import Client

from apikeys.models import AuditEntry

pytestmark = pytest.mark.django_db
USERS, GROUPS = "/admin/auth/user/", "/admin/auth/group/"
FIRST = "long-enough-7"


@pytest.fixture(autouse=True)
def quick_passwords(settings: Any) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


def person(name: str, *groups: str, **fields: Any) -> User:
    created = User.objects.create_user(name, password=FIRST, is_staff=True, **fields)
    created.groups.set(Group.objects.filter(name__in=groups))
    return created


def logged_in(who: User) -> Client:
    client = Client()
    client.force_login(who)
    return client


def ids(*groups: str) -> list[int]:
    return [Group.objects.get(name=name).pk for name in groups]


def form_of(who: User, **changes: Any) -> dict[str, Any]:
    form = {
        "username": who.username,
        "first_name": "",
        "last_name": "",
        "email": "",
        "groups": [group.pk for group in who.groups.all()],
        "is_active": "on",
    } | changes
    return {name: value for name, value in form.items() if value is not None}


@pytest.fixture
def mary(db: None) -> User:
    return person("mary", "manager")


@pytest.fixture
def manager(mary: User) -> Client:
    return logged_in(mary)


def test_a_manager_adds_a_person_who_logs_in(manager: Client) -> None:
    form = {"username": "otto", "password": FIRST, "password_again": FIRST, "groups": ids("operator")}
    assert manager.post(f"{USERS}add/", form).status_code == 302
    login = Client().post("/admin/login/", {"username": "otto", "password": FIRST})
    assert login.status_code == 302
    entry = AuditEntry.objects.get(action="created", object_kind="user")
    assert entry.after["groups"] == ["operator"]
    assert not {"password", "last_login"} & entry.after.keys()


@pytest.mark.parametrize(
    ("fields", "field"),
    [({"password": "otto", "password_again": "otto"}, "password"), ({"password": FIRST}, "password_again")],
)
def test_a_weak_password_or_a_slip_is_refused(manager: Client, fields: dict[str, str], field: str) -> None:
    page = manager.post(f"{USERS}add/", {"username": "otto", **fields})
    assert field in page.context["adminform"].form.errors
    assert not User.objects.filter(username="otto").exists()


def test_a_person_without_a_first_password_cannot_log_in(manager: Client) -> None:
    manager.post(f"{USERS}add/", {"username": "otto"})
    otto = User.objects.get(username="otto")
    assert not otto.has_usable_password()
    page = f"{USERS}{otto.pk}/password/"
    assert manager.post(page, {"password1": FIRST, "password2": FIRST}).status_code == 302
    otto.refresh_from_db()
    assert otto.check_password(FIRST)
    assert AuditEntry.objects.filter(action="password changed", object_id=otto.pk).exists()


def test_a_manager_makes_no_superuser(manager: Client, mary: User) -> None:
    assert "is_superuser" not in manager.get(f"{USERS}{mary.pk}/change/").content.decode()
    manager.post(f"{USERS}{mary.pk}/change/", form_of(mary, is_superuser="on"))
    manager.post(f"{USERS}add/", {"username": "otto", "is_superuser": "on"})
    assert not User.objects.filter(is_superuser=True).exists()


def test_a_manager_changes_no_superuser(manager: Client, admin_user: User) -> None:
    page = f"{USERS}{admin_user.pk}/"
    assert manager.post(f"{page}change/", form_of(admin_user, is_active=None)).status_code == 403
    assert manager.post(f"{page}delete/", {"post": "yes"}).status_code == 403
    assert manager.post(f"{page}password/", {"password1": FIRST, "password2": FIRST}).status_code == 403
    action = {"action": "disable", "_selected_action": admin_user.pk}
    assert manager.post(USERS, action).status_code == 403
    stored = User.objects.get(pk=admin_user.pk)
    assert stored.is_active
    assert stored.password == admin_user.password


def test_nobody_gives_what_they_do_not_have(manager: Client, mary: User) -> None:
    more = Group.objects.create(name="more")
    more.permissions.add(Permission.objects.get(codename="delete_session"))
    page = manager.post(f"{USERS}{mary.pk}/change/", form_of(mary, groups=[*ids("manager"), more.pk]))
    assert "You cannot give what you do not have" in page.context["adminform"].form.errors["groups"][0]
    assert [group.name for group in mary.groups.all()] == ["manager"]


def test_a_group_is_made_of_permissions_that_one_has(manager: Client) -> None:
    mine = Permission.objects.get(codename="view_run")
    assert manager.post(f"{GROUPS}add/", {"name": "runs", "permissions": [mine.pk]}).status_code == 302
    assert Group.objects.get(name="runs").permissions.get() == mine
    assert AuditEntry.objects.get(object_kind="group").after["permissions"] == ["assistants.view_run"]


@pytest.mark.parametrize("changes", [{"is_active": None}, {"groups": []}])
def test_the_last_manager_locks_nobody_out(manager: Client, mary: User, changes: dict[str, Any]) -> None:
    page = manager.post(f"{USERS}{mary.pk}/change/", form_of(mary, **changes))
    assert page.status_code == 200
    assert "Nobody could manage people any more" in page.content.decode()
    assert manager.get(USERS).status_code == 200
    person("martin", "manager")
    assert manager.post(f"{USERS}{mary.pk}/change/", form_of(mary, **changes)).status_code == 302


def test_the_group_of_the_last_manager_stays(manager: Client) -> None:
    (group,) = ids("manager")
    assert manager.post(f"{GROUPS}{group}/change/", {"name": "manager", "permissions": []}).status_code == 200
    manager.post(f"{GROUPS}{group}/delete/", {"post": "yes"})
    assert Group.objects.get(pk=group).permissions.filter(codename="change_user").exists()


def test_the_last_superuser_stays(admin_client: Client, admin_user: User, mary: User) -> None:
    page = admin_client.post(f"{USERS}{admin_user.pk}/change/", form_of(admin_user))
    assert "This is the last superuser" in page.content.decode()
    admin_client.post(f"{USERS}{admin_user.pk}/delete/", {"post": "yes"})
    assert User.objects.filter(is_superuser=True).exists()


def test_who_is_disabled_is_logged_out_at_once_and_stays_so(manager: Client) -> None:
    otto = person("otto", "viewer")
    client = logged_in(otto)
    assert client.get("/admin/").status_code == 200
    assert manager.post(USERS, {"action": "disable", "_selected_action": otto.pk}).status_code == 302
    assert client.get("/admin/").status_code == 302
    User.objects.filter(pk=otto.pk).update(is_active=True)
    assert client.get("/admin/").status_code == 302
    assert AuditEntry.objects.get(object_id=otto.pk, object_kind="user").after == {"is_active": False}


def test_a_new_password_ends_the_other_sessions(db: None) -> None:
    otto = person("otto", "viewer")
    here, there = logged_in(otto), logged_in(otto)
    form = {"old_password": FIRST, "new_password1": "another-one-8", "new_password2": "another-one-8"}
    assert here.post("/admin/password_change/", form).status_code == 302
    assert here.get("/admin/").status_code == 200
    assert there.get("/admin/").status_code == 302
    assert AuditEntry.objects.get().action == "password changed"


def test_a_logout_ends_the_session(db: None) -> None:
    client = logged_in(person("otto", "viewer"))
    assert client.post("/admin/logout/").status_code == 200
    assert client.get("/admin/").status_code == 302


def test_the_pages_say_what_a_group_may(manager: Client, mary: User) -> None:
    told = "may start, stop and restart servers"
    for page in (GROUPS, f"{USERS}add/", f"{USERS}{mary.pk}/change/"):
        assert told in manager.get(page).content.decode()


def test_an_auditor_reads_people_and_changes_none(mary: User) -> None:
    auditor = logged_in(person("audrey", "auditor"))
    assert auditor.get(f"{USERS}{mary.pk}/change/").status_code == 200
    assert auditor.post(f"{USERS}{mary.pk}/change/", form_of(mary, is_active=None)).status_code == 403
    assert auditor.post(f"{USERS}{mary.pk}/password/", {}).status_code == 403
    assert auditor.post(f"{USERS}add/", {"username": "x"}).status_code == 403
