"""A file that is wrong: one clear message, and nothing is done."""

from pathlib import Path

import pytest

from apikeys.models import AuditEntry
from assistants.configuration import reading
from assistants.models import Provider, Rule
from core.actor import Actor
from tests.assistants.configuration.conftest import Refused, Write
from tools.models import MCPTool

pytestmark = pytest.mark.django_db
BY = Actor.system("tests")
BOMB = "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n"
GOOD = "version: 1\nproviders: [{name: Good, default_model: m}]\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "Give an object with `version: 1`"),
        ("- 1", "Give an object with `version: 1`"),
        ("providers: []", "version: It is missing, and this release reads `version: 1`."),
        ('version: 1\n"\\e[31m": 1', "'\\x1b[31m': There is no such field."),
        ("version: 2", "version: It is '2', and this release reads `version: 1`."),
        ('version: "1"', "version: It is the text '1', and"),
        ("version: 1\nservers: [x]", "servers[0]: Give an object."),
        ("version: true", "version: It is 'True'"),
        ("version: 1\nprovider: []", "provider: There is no such field. Did you mean providers?"),
        (
            "version: 1\nproviders: [{name: a, defalt_model: m}]",
            "providers[0].defalt_model: There is no such field. Did you mean default_model?",
        ),
        ("version: 1\nproviders: [{name: a}]", "providers[0].default_model: It is required."),
        (
            "version: 1\nproviders: [{name: 5, default_model: m}]",
            "providers[0].name: Input should be a valid string.",
        ),
        (
            "version: 1\nproviders: [{name: a, default_model: m, kind: opena}]",
            "providers[0].kind: There is no 'opena'. There are: openai,",
        ),
        ("version: 1\nproviders: {a: 1}", "providers: Input should be a valid list."),
        (
            "version: 1\nproviders: [{name: A, default_model: m}, {name: a, default_model: m}]",
            "providers[1].name: 'a' is there twice.",
        ),
        (
            "version: 1\nservers: [{slug: s, name: S, connection_type: stdio, tools: {t: {enabled: true}}}]",
            "servers[0].tools.t.enabled: There is no such field. Did you mean is_enabled?",
        ),
        (
            "version: 1\nrules: [{name: r, then: deny, when: {serverz: [a]}}]",
            "rules[0].when.serverz: There is no such field. Did you mean servers?",
        ),
        (
            "version: 1\nrules: [{name: r, then: deny, approver: caller}]",
            "rules[0]: Only a rule that asks has an approver.",
        ),
        (
            "version: 1\nassistants: [{slug: a, name: A, top_k: ten}]",
            "assistants[0].top_k: Input should be a valid integer.",
        ),
        (
            "version: 1\nassistants: [{slug: a, name: A, parameters: {x: .nan}}]",
            "assistants[0].parameters.x: Give a finite number.",
        ),
        (
            'version: 1\nassistants: [{slug: a, name: "A\\0"}]',
            "assistants[0].name: A text here holds a character",
        ),
        (
            "version: 1\napi_keys: [{name: a, expires_at: 2030-01-01}]",
            "api_keys[0].expires_at: Input should be a valid datetime",
        ),
        (
            "version: 1\n---\nversion: 1",
            "Not valid YAML at line 2, column 1: expected a single document in the stream, but found another",
        ),
        ("version: 1\nproviders: [", "Not valid YAML at line 3, column 1: did not find"),
        (
            "version: 1\nproviders:\n  - name: a\n    name: b\n",
            "Not valid YAML at line 4, column 5: the name name is there twice.",
        ),
        ("version: 1\nx: &x [*x]", "Not valid YAML at line 2, column 8: aliases (*name) are not read"),
        (BOMB, "Not valid YAML at line 2, column 8: aliases (*name) are not read"),
        ("version: 1\nx: &x {a: 1}\ny: {<<: *x}", "Not valid YAML at line 3, column 9: aliases"),
        ("version: 1\nx: " + "[" * 100 + "]" * 100, "line 2, column 35: it is nested deeper than 32 levels"),
        ("version: 1\nx: !!python/object:os.system {}", "Not valid YAML at line 2"),
        ("version: 1\nx: 2020-99-99", "Not valid YAML: it holds"),
        (f"version: 0x{'f' * 5000}", "line 1, column 10: the number has more than 1000 digits."),
        ("version: 1\nx: é\x07", "Not valid YAML at line 2: control characters are not allowed."),
        *(
            (f"version: 1\n{section}: [{{{entry}}}, {{{entry}}}]", f"{section}[1].{said} is there twice.")
            for section, entry, said in (
                ("servers", "slug: s, name: S, connection_type: stdio", "slug: 's'"),
                ("assistants", "slug: a, name: A", "slug: 'a'"),
                ("api_keys", "name: k", "name: 'k'"),
                ("webhooks", "name: w, url: x, events: []", "name: 'w'"),
                ("rules", "name: r, then: deny", "name: 'r'"),
            )
        ),
        *(
            (f"version: 1\nassistants: [{{slug: a, name: A, {field}}}]", f"assistants[0].{said}")
            for field, said in (
                ("aliases: [x, x]", "aliases: Name each once."),
                ("api_keys: [x, x]", "api_keys: Name each once."),
                ("tools: [{server: s, functions: [f, f]}]", "tools[0].functions: Name each once."),
            )
        ),
    ],
)
def test_a_file_that_is_no_configuration_is_refused_with_its_place(
    written: Write, refused: Refused, text, said
) -> None:
    assert said in refused(written(text))


@pytest.mark.parametrize(
    ("section", "said"),
    [
        (
            "assistants: [{slug: a, name: A, provider: Nobody}]",
            "assistants[0] (a): provider: There is no provider 'Nobody'.",
        ),
        (
            "assistants: [{slug: a, name: A, tools: [{server: none}]}]",
            "assistants[0] (a): tools[0].server: There is no server 'none'.",
        ),
        (
            "assistants: [{slug: a, name: A, api_keys: [bob]}]",
            "assistants[0] (a): api_keys: There is no API key 'bob'.",
        ),
        ("assistants: [{slug: auto, name: A}]", "assistants[0] (auto): slug: 'auto' is reserved"),
        ("assistants: [{slug: a, name: A}, {slug: b, name: a}]", "assistants[1] (b): The name is taken"),
        (
            "assistants: [{slug: a, name: A, aliases: [x]}, {slug: b, name: B, aliases: [x]}]",
            "assistants[1] (b): x: another assistant has that name.",
        ),
        (
            "assistants: [{slug: a, name: A, fallback_provider: Nobody}]",
            "assistants[0] (a): fallback_provider: There is no provider 'Nobody'.",
        ),
        (
            "assistants: [{slug: a, name: A}, {slug: b, name: B, aliases: [a]}]",
            "assistants[1] (b): a: another assistant has that name.",
        ),
        (
            "servers: [{slug: s, name: S, connection_type: stdio, command: npx}]\n"
            "assistants: [{slug: a, name: A, tools: [{server: s}, {server: s}]}]",
            "assistants[0] (a): tools",
        ),
        (
            "rules: [{name: r, then: deny, api_key: none}]",
            "rules[0] (r): api_key: There is no API key 'none'.",
        ),
        (
            "rules: [{name: r, then: deny, assistant: none}]",
            "rules[0] (r): assistant: There is no assistant 'none'.",
        ),
        (
            "rules: [{name: r, then: deny, when: {servers: [none]}}]",
            "rules[0] (r): when.servers: There is no server 'none'.",
        ),
        (
            "rules: [{name: r, then: deny, when: {functions: [none__x]}}]",
            "rules[0] (r): when.functions: There is no tool none__x.",
        ),
        (
            "rules: [{name: r, then: deny, when: {expression: 'nobody == 1'}}]",
            "rules[0] (r): when.expression: `nobody` is not known.",
        ),
        (
            "api_keys: [{name: k, expires_at: 2001-01-01T00:00:00Z}]",
            "api_keys[0] (k): expires_at: Give a time in the future.",
        ),
        (
            "api_keys: [{name: k, expires_at: 9999-12-31T23:59:59-01:00}]",
            "api_keys[0] (k): expires_at: Give a time before the year 10000.",
        ),
        (
            "servers: [{slug: index, name: I, connection_type: stdio, command: npx}]",
            "servers[0] (index): slug: 'index' is reserved",
        ),
        ("servers: [{slug: s, name: S, connection_type: stdio, command: rm}]", "servers[0] (s): command: "),
        ("webhooks: [{name: w, url: 'http://127.0.0.1/x', events: [server.up]}]", "webhooks[0] (w): url: "),
    ],
)
def test_what_a_verb_refuses_undoes_all_that_was_done_before(
    written: Write, refused: Refused, section, said
) -> None:
    before = AuditEntry.objects.count()

    assert said in refused(written(GOOD + section))

    assert not Provider.objects.exists()
    assert AuditEntry.objects.count() == before


def test_a_file_is_read_up_to_a_size(
    written: Write, refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "LONGEST", 10)
    assert refused(written(GOOD)) == "The file is over 10 bytes."


def test_all_that_is_wrong_is_told_at_once_and_no_value_with_it(written: Write, refused: Refused) -> None:
    wrong = "{name: a, default_model: m, api_key: [canary]}"
    said = refused(written(f"version: 1\nproviders: [{', '.join([wrong] * 30)}]")).splitlines()

    assert (len(said), said[-1]) == (21, "... and 10 more.")
    assert not [line for line in said if "canary" in line]


def test_a_file_that_is_not_there_and_one_that_is_no_text_are_refused(
    tmp_path: Path, refused: Refused
) -> None:
    assert "cannot be read: No such file or directory." in refused(tmp_path / "none.yaml")
    (tmp_path / "latin.yaml").write_bytes(b"version: 1\n\xff\xfe\xe9")
    assert refused(tmp_path / "latin.yaml") == "The file is no text in UTF-8: line 2 is not."


def test_a_changed_rule_of_a_server_that_is_gone_can_still_be_applied(written: Write) -> None:
    from tests.assistants.configuration import scene

    scene.build()
    path = written(scene.export())
    rule = Rule.objects.get(name="Ask first")
    rule.conditions = {"servers": [*rule.conditions["servers"], 999_999]}
    rule.save()

    assert scene.apply(path, "--dry-run") == ([], "")
    assert MCPTool.objects.count() == 2
