"""What others have named reaches a terminal escaped, on its line, and cut."""

from pathlib import Path

import pytest
from django.core.management import CommandError

from core.printable import printable, shown
from tests.assistants.configuration import scene

ODD = "a\u202eb\x1b[31m"


def test_what_a_terminal_would_obey_is_escaped() -> None:
    assert printable("one\ntwo 天气 é") == "one\ntwo 天气 é"
    assert printable("Prêt\u00a0? 天气\u3000\t") == "Prêt\u00a0? 天气\u3000\\t"
    assert printable(ODD) == r"a\u202eb\x1b[31m"
    assert printable("a\rb\x9b\u200b\ud800") == r"a\rb\x9b\u200b\ud800"


def test_a_name_is_on_one_line_and_cut() -> None:
    assert shown("天气") == "天气"
    assert shown("a\nb") == r"'a\nb'"
    assert shown("天\u3000气\x1b") == r"'天\u3000气\x1b'"
    assert shown("x" * 65) == "x" * 61 + "..."


@pytest.mark.django_db
@pytest.mark.parametrize(
    "entry",
    [
        r'api_keys: [{name: "%s"}]',
        r'providers: [{name: "%s", default_model: m}]',
        r'assistants: [{slug: a, name: A, provider: "%s"}]',
        r'assistants: [{slug: "%s", name: A}]',
        r'servers: [{slug: s, name: S, connection_type: stdio, command: npx, env: {"%s": "${NOT_SET}"}}]',
        r'servers: [{slug: s, name: S, connection_type: "%s"}]',
        r'rules: [{name: R, then: deny, when: {functions: ["%s"]}}]',
    ],
)
def test_no_error_of_a_configuration_has_it_raw(tmp_path: Path, entry: str) -> None:
    path = tmp_path / "config.yaml"
    for odd in (r"a\u202eb\e[31m", "x" * 10_000):
        path.write_text("version: 1\n" + entry.replace("%s", odd))
        with pytest.raises(CommandError) as refusal:
            scene.apply(path)
        said = str(refusal.value)
        assert said.replace("\n", "").isprintable()
        assert len(said) < 1_000
