import re

from tools.names import folded, public_name, slugify


def test_a_simple_name_is_server_and_tool() -> None:
    assert public_name("time", "get_current_time") == "time__get_current_time"


def test_foreign_characters_and_long_names_end_in_a_hash() -> None:
    for function in ("files.read", "x" * 128, "größe", "a b"):
        name = public_name("docs", function)
        assert re.fullmatch(r"docs__[a-zA-Z0-9_-]+_[0-9a-f]{8}", name)
        assert len(name) <= 64
        assert name == public_name("docs", function)


def test_names_that_become_equal_get_different_hashes() -> None:
    assert public_name("s", "a.b") != public_name("s", "a:b")


def test_a_taken_name_gets_a_hash() -> None:
    taken = {folded(public_name("s", "a-b"))}
    assert public_name("s", "a_b", taken=taken) != public_name("s", "a_b")
    assert public_name("s", "A-B", taken=taken) != public_name("s", "A-B")


def test_slugs_start_with_a_letter_and_fit() -> None:
    assert slugify("My Files (prod)") == "my-files-prod"
    assert slugify("7 Zip") == "s-7-zip"
    assert slugify("天气") == "tianqi"
    assert slugify("Погода в Москве") == "pogoda-v-moskve"
    assert slugify("!!") == "s"
    assert len(slugify("x" * 300)) == 63
