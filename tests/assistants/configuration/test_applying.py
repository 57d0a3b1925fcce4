"""What a file changes, what it leaves alone, and what is told of it."""

import pytest

from apikeys.models import ApiKey, AuditEntry
from assistants import actions
from assistants.models import Assistant, Provider, Rule
from core.actor import Actor
from tests.assistants.configuration import scene
from tests.assistants.configuration.conftest import Write
from tools import actions as server_actions
from tools.functions.catalogue import record
from tools.models import MCPTool, ToolFunction

pytestmark = pytest.mark.django_db
BY = Actor.system("tests")


@pytest.fixture(autouse=True)
def _without_shipped_rule() -> None:
    Rule.objects.all().delete()


def sections(text: str) -> str:
    return f"version: 1\n{text}"


def test_a_difference_has_a_line_for_each_field_and_a_trial_changes_nothing(written: Write) -> None:
    actions.add_provider(by=BY, name="House", default_model="m-1", api_key="canary-old")
    path = written(
        sections(
            "providers: [{name: House, default_model: m-2, api_key: canary-new},"
            " {name: New, default_model: m}]"
        )
    )
    entries = AuditEntry.objects.count()

    tried, _ = scene.apply(path, "--dry-run")

    assert tried == [
        "~ provider House: api_key: changed",
        '~ provider House: default_model: "m-1" -> "m-2"',
        "+ provider New",
    ]
    assert (Provider.objects.get().default_model, AuditEntry.objects.count()) == ("m-1", entries)

    applied, _ = scene.apply(path)

    assert applied == tried
    assert Provider.objects.get(name="House").api_key == "canary-new"
    assert AuditEntry.objects.filter(actor_name="apply_config").count() == 2
    assert scene.apply(path) == ([], "")


def test_a_field_that_is_left_out_gets_its_default_and_what_is_not_in_the_file_stays(written: Write) -> None:
    actions.add_provider(by=BY, name="Other", default_model="m")
    actions.create(by=BY, name="Helper", top_k=5, system_prompt="Be kind.")

    lines, _ = scene.apply(written(sections("assistants: [{slug: helper, name: Helper, top_k: 5}]")))

    assert lines == ['~ assistant helper: system_prompt: "Be kind." -> ""']
    assert Provider.objects.filter(name="Other").exists()


def test_pruning_deletes_what_the_sections_do_not_name_and_no_other_section(written: Write) -> None:
    scene.build()
    path = written(sections("rules: []\nassistants: []\nproviders: []\n"))

    assert scene.apply(path) == ([], "")
    lines, _ = scene.apply(path, "--prune")

    assert lines == [
        "- rule Calm", "- rule No writing", "- rule Ask first",
        "- assistant helper", "- provider Model house",
    ]  # fmt: skip
    assert not Assistant.objects.exists()
    assert (MCPTool.objects.count(), ApiKey.objects.count()) == (2, 1)


def test_an_assistant_with_another_slug_takes_the_name_and_aliases_of_one_that_is_pruned(
    written: Write,
) -> None:
    actions.create(by=BY, name="Helper", aliases=["gpt-4o"])
    path = written(sections("assistants: [{slug: other, name: Helper, aliases: [gpt-4o]}]"))

    assert scene.apply(path, "--prune")[0] == ["- assistant helper", "+ assistant other"]


def test_what_is_in_use_is_not_pruned_and_nothing_else_is_done(written: Write, refused) -> None:
    scene.build()

    said = refused(
        written(sections("servers: []\nproviders: [{name: Model house, default_model: m-9}]")), "--prune"
    )

    assert "server files cannot be deleted: Assistants use it that the file does not describe: helper" in said
    assert Provider.objects.get().default_model == "m-1"


def test_rules_are_put_in_the_order_of_the_file_and_others_keep_their_places(written: Write) -> None:
    for name in ("one", "theirs", "two"):
        actions.add_rule(by=BY, name=name, effect="deny")
    path = written(
        sections("rules: [{name: two, then: deny}, {name: three, then: allow}, {name: one, then: deny}]")
    )

    lines, _ = scene.apply(path)

    assert lines == ["+ rule three", "~ rules: order: one, theirs, two, three -> two, theirs, three, one"]
    assert list(Rule.objects.values_list("name", flat=True)) == ["two", "theirs", "three", "one"]
    assert scene.apply(path) == ([], "")


def test_aliases_can_be_exchanged(written: Write) -> None:
    actions.create(by=BY, name="One", aliases=["a", "x"])
    actions.create(by=BY, name="Two", aliases=["b"])
    path = written(
        sections(
            "assistants: [{slug: one, name: One, aliases: [b, x]}, {slug: two, name: Two, aliases: [a]}]"
        )
    )

    lines, _ = scene.apply(path)

    assert lines == [
        '~ assistant one: aliases: ["a", "x"] -> ["b", "x"]',
        '~ assistant two: aliases: ["b"] -> ["a"]',
    ]
    assert [each.aliases for each in Assistant.objects.order_by("slug")] == [["b", "x"], ["a"]]


def test_another_definition_than_the_file_approves_is_left_to_staff(written: Write) -> None:
    server = server_actions.register(
        by=BY, name="Files", connection_type="stdio", command="npx", approval="pinned"
    )
    record(server.pk, [scene.definition("read")])
    record(server.pk, [scene.definition("read", "It does harm.")])
    tool = ToolFunction.objects.get()
    server_text = (
        "servers: [{slug: files, name: Files, connection_type: stdio, command: npx, approval: pinned,"
        " tools: {read: {approved: '%s'}}}]"
    )

    lines, steps = scene.apply(written(sections(server_text % ("0" * 64))))

    assert (lines, "files__read: its definition is not the one that the file approves" in steps) == ([], True)
    lines, steps = scene.apply(written(sections(server_text % tool.definition_hash)))
    assert (lines, steps) == ([f"~ tool files__read: approved: {tool.definition_hash}"], "")
    assert ToolFunction.objects.get().approval == "approved"


def test_spaces_at_the_ends_of_names_make_no_other_object(written: Write) -> None:
    names = "api_keys: [{name: 'Desk '}]\nproviders: [{name: ' House', default_model: m}]\n"
    user = "assistants: [{slug: a, name: 'A ', provider: 'House ', api_keys: [' Desk']}]"

    assert scene.apply(written(sections(names + user)))[0] == [
        "+ provider House", "+ API key Desk", "+ assistant a",
    ]  # fmt: skip
    assert ApiKey.objects.get().name == "Desk"
    assert scene.apply(written(sections(names + user)), "--prune") == ([], "")
    assert scene.apply(written(scene.export()), "--prune") == ([], "")
