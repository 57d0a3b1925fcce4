import re

import pytest

from apikeys import keys


def test_a_key_has_the_ordered_form() -> None:
    key = keys.generate()
    assert re.fullmatch(r"ak-\d{6}-[A-Za-z0-9_-]{30}[A-Za-z0-9]{6}", key)
    assert keys.is_well_formed(key)


def test_keys_differ() -> None:
    assert len({keys.generate() for _ in range(1000)}) == 1000


def test_only_the_first_twenty_characters_are_shown() -> None:
    key = keys.generate()
    assert keys.display_prefix(key) == key[:20] + "..."


@pytest.mark.parametrize("position", range(3, 46))
def test_one_mistyped_character_is_noticed(position: int) -> None:
    key = keys.generate()
    typo = "1" if key[position] != "1" else "2"
    assert not keys.is_well_formed(key[:position] + typo + key[position + 1 :])


@pytest.mark.parametrize(
    "key",
    ["", "ak-", "ak-123456-", "' OR 1=1", "ak-१२३४५६-" + "a" * 36, "ak-123456-" + "é" * 36, "x" * 100_000],
)
def test_it_refuses_what_is_no_key(key: str) -> None:
    assert not keys.is_well_formed(key)


def test_the_checksum_is_the_crc_32_in_base_62() -> None:
    """With a fixed key: issued keys must stay valid in every later version."""
    assert keys.is_well_formed("ak-000000-" + "A" * 30 + "2xObED")
