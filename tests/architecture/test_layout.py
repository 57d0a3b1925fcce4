"""The tree itself: sizes, names, and what no file contains. The layers of packages are in pyproject.toml."""

import ast
import re
import subprocess
from collections import Counter
from collections.abc import Iterator
from functools import cache
from itertools import combinations
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
APPS = ("config", "assistants", "connector", "tools", "apikeys", "core")
LONGEST_FILE = 300
LONG_FUNCTION = 13  # lines with the signature, without the docstring: nine of ten functions have no more
OFTEN = 5
EXPECTED_IN_EVERY_APP = {
    "__init__",
    "apps",
    "models",
    "admin",
    "urls",
    "tasks",
    "errors",
    "actions",
    "validation",
}
# Split so that this file does not contain what it looks for.
REGISTRIES = re.compile(r"\b(pypi|pythonhosted|npmjs|yarnpkg|debian|rubygems|crates)\.(org|com|io)\b")
HOMES = re.compile(r"(?<![\w.])/(?:home|Users)/(?!kim/|me/)\w|(?<![\w.])/(?:root|work)/\w")

Function = ast.FunctionDef | ast.AsyncFunctionDef


@cache
def tracked() -> list[Path]:
    """Returns every file that is committed or would be, relative to the root."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    return [Path(name) for name in names if (ROOT / name).is_file()]


def test_no_committed_file_is_ignored() -> None:
    """A new file beside it would not be committed, and linters pass over what is ignored."""
    command = ["git", "ls-files", "--cached", "--ignored", "--exclude-standard"]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert found == ""


def test_what_the_documents_write_into_a_checkout_is_ignored() -> None:
    written = ["backups/2026-11-30.zip", "secrets/SECRET_KEY", ".env", ".data/runtime.env"]
    command = ["git", "check-ignore", *written]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stdout
    assert found.split() == written


@cache
def product() -> dict[Path, str]:
    """Returns the source of each of the product's modules; migrations are generated."""
    return {
        path: (ROOT / path).read_text()
        for path in tracked()
        if path.parts[0] in APPS and path.suffix == ".py" and "migrations" not in path.parts
    }


def functions() -> Iterator[tuple[Path, Function]]:
    for path, source in product().items():
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, Function):
                yield path, node


def length(function: Function) -> int:
    docstring = len((ast.get_docstring(function, clean=False) or "").splitlines())
    return (function.end_lineno or 0) - function.lineno + 1 - docstring


def test_no_file_is_longer_than_a_reader_can_follow() -> None:
    lengths = {path: source.count("\n") for path, source in product().items()}
    assert [path for path, lines in lengths.items() if lines > LONGEST_FILE] == []


def test_nine_of_ten_functions_are_short() -> None:
    lengths = sorted(length(function) for _, function in functions())
    assert lengths[len(lengths) * 9 // 10] <= LONG_FUNCTION


def test_imports_are_at_the_top_of_a_module_except_where_django_needs_them_late() -> None:
    late = [
        f"{path}:{node.lineno}"
        for path, function in functions()
        for node in ast.walk(function)
        if isinstance(node, ast.Import | ast.ImportFrom)
        and not (path.name == "apps.py" and function.name == "ready")
    ]
    assert late == []


def test_a_name_of_a_module_says_more_than_that_of_four_others() -> None:
    names = Counter(path.stem for path in product() if path.stem not in EXPECTED_IN_EVERY_APP)
    assert [name for name, times in names.items() if times >= OFTEN] == []


def test_no_two_siblings_are_named_alike() -> None:
    """Neither `source` beside `sources`, nor a module or package `x` beside a package `x_api`."""
    assert [
        pair for siblings in folders().values() for pair in combinations(siblings, 2) if alike(*pair)
    ] == []


def folders() -> dict[Path, list[Path]]:
    """Returns the modules and packages in each folder."""
    found: dict[Path, set[Path]] = {}
    for path in product():
        for each in (path, *path.parents[:-1]):
            if each.stem != "__init__":
                found.setdefault(each.parent, set()).add(each)
    return {folder: sorted(siblings) for folder, siblings in found.items()}


def alike(one: Path, other: Path) -> bool:
    first, second = sorted((one.stem, other.stem), key=len)
    has_package = not (one.suffix and other.suffix)
    return second in (f"{first}s", f"{first}es") or (has_package and second.startswith(f"{first}_"))


def test_every_package_has_its_line_in_the_documentation() -> None:
    lines = (ROOT / "docs" / "architecture.md").read_text()
    packages = {path.parent for path in product() if path.name == "__init__.py"}
    described = {package for package in packages if "management" not in package.parts}
    assert [str(package) for package in sorted(described) if f"\n| `{package}` |" not in lines] == []


@pytest.mark.parametrize(
    ("document", "folder"),
    [("README.md", ""), ("docs/architecture.md", ""), ("tests/chaos/README.md", "tests")],
)
def test_every_file_that_a_document_names_exists(document: str, folder: str) -> None:
    text = (ROOT / document).read_text()
    named = re.findall(r"`([\w.-]+/[\w./-]*|[\w-]+\.(?:py|md|toml|yml|sample))`", text)
    assert [path for path in named if not (ROOT / folder / path).exists()] == []


def test_no_file_names_a_package_registry_or_somebodys_home() -> None:
    found = []
    for path in tracked():
        text = (ROOT / path).read_bytes().decode(errors="ignore")
        found += [
            f"{path}: {match.group()}" for match in (REGISTRIES.search(text), HOMES.search(text)) if match
        ]
    assert found == []


def test_no_two_decisions_have_one_number() -> None:
    numbers = [path.name[:4] for path in tracked() if path.parent == Path("docs/decisions")]
    assert sorted(numbers) == sorted(set(numbers))
