"""Only a folder `_npx/<hash>` of a server's own cache is ever removed."""

from pathlib import Path

import pytest

from connector.process import npx_cache

HASH = "6ddf87659f2ad8a4"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "home" / ".npm" / "_npx" / HASH
    (folder / "node_modules" / "zod").mkdir(parents=True)
    return folder


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    return {"HOME": str(tmp_path / "home")}


def test_a_folder_of_the_own_cache_is_removed_and_its_neighbours_stay(
    folder: Path, home: dict[str, str]
) -> None:
    other = folder.parent / "b7043670c3149184"
    other.mkdir()
    assert npx_cache.remove(str(folder), home)
    assert (folder.exists(), other.exists()) == (False, True)
    assert not npx_cache.remove(str(folder), home)


@pytest.mark.parametrize("name", ["npm_config_cache", "NPM_CONFIG_CACHE"])
def test_the_cache_may_be_elsewhere(tmp_path: Path, home: dict[str, str], folder: Path, name: str) -> None:
    own = tmp_path / "cache" / "_npx" / HASH
    own.mkdir(parents=True)
    environment = home | {name: str(tmp_path / "cache")}
    assert not npx_cache.remove(str(folder), environment)
    assert npx_cache.remove(str(own), environment)


@pytest.mark.parametrize("wrong", ["..", "x", "6ddf87659f2ad8a", "6ddf87659f2ad8a4/node_modules", "../.."])
def test_nothing_else_is_removed(folder: Path, home: dict[str, str], wrong: str) -> None:
    assert not npx_cache.remove(f"{folder.parent}/{wrong}", home)
    assert (folder / "node_modules" / "zod").exists()


def test_no_link_is_followed(tmp_path: Path, folder: Path, home: dict[str, str]) -> None:
    link = folder.parent / "b7043670c3149184"
    precious = tmp_path / "precious"
    precious.mkdir()
    link.symlink_to(precious)
    assert not npx_cache.remove(str(link), home)
    elsewhere = tmp_path / "elsewhere" / ".npm"
    elsewhere.mkdir(parents=True)
    (elsewhere / "_npx").symlink_to(folder.parent)
    assert not npx_cache.remove(f"{elsewhere}/_npx/{HASH}", {"HOME": str(elsewhere.parent)})
    assert (precious.exists(), folder.exists()) == (True, True)


@pytest.mark.parametrize("environment", [{}, {"HOME": "relative"}, {"npm_config_cache": "relative"}])
def test_without_a_known_cache_nothing_is_removed(folder: Path, environment: dict[str, str]) -> None:
    assert not npx_cache.remove(str(folder), environment)
