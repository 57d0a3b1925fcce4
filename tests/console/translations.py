"""The catalogue of translations: `make messages` brings config/locale up to date with the code.

Strings are found as Django's `makemessages` finds them, but by Babel, so that no GNU gettext is needed.
unfold comes without translations: its strings are in our catalogue too, those of all the releases that
requirements.lock has, which depend on Python's. Run it with each Python to collect them; none is taken away.
"""

import io
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import unfold
from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po
from django import conf, contrib
from django.conf import settings
from django.utils.translation.template import templatize

ROOT = Path(__file__).resolve().parents[2]
APPS = ("config", "assistants", "connector", "tools", "apikeys", "core")
LOCALE = "zh_Hans"
PO = ROOT / "config/locale" / LOCALE / "LC_MESSAGES/django.po"
MO = PO.with_suffix(".mo")
UNFOLD = Path(unfold.__file__).parent
HEADER = "# The console in Simplified Chinese. Its terms: docs/console.md, Languages."
PACKAGES = ("constance", "guardian", "hijack", "import_export", "reversion", "simple_history")
NOT_USED = tuple(f"contrib/{name}" for name in PACKAGES)
"""Parts of unfold that this product does not have."""
INSTALLED = [name for name in settings.INSTALLED_APPS if name.startswith("django.contrib.")]
MARKS = {
    **dict.fromkeys(("_", "gettext", "gettext_lazy", "gettext_noop", "Message"), None),
    **dict.fromkeys(("ngettext", "ngettext_lazy"), (1, 2)),
    **dict.fromkeys(("pgettext", "pgettext_lazy"), ((1, "c"), 2)),
    **dict.fromkeys(("npgettext", "npgettext_lazy"), ((1, "c"), 2, 3)),
}


def templates() -> list[Path]:
    return sorted((ROOT / "templates").rglob("*.html"))


def ours() -> Iterator[Path]:
    """Every file of the product that may hold a string."""
    for app in APPS:
        yield from (path for path in sorted((ROOT / app).rglob("*.py")) if "migrations" not in path.parts)
    yield from templates()


def unfolds() -> Iterator[Path]:
    for path in sorted((*UNFOLD.rglob("*.py"), *UNFOLD.rglob("*.html"))):
        if not path.relative_to(UNFOLD).as_posix().startswith(NOT_USED):
            yield path


def catalogue(paths: Iterable[Path], base: Path) -> Catalog:
    """The strings in the files, without translations. Those that Django translates are left to Django."""
    found = Catalog(locale=LOCALE, project="MCP Connector", fuzzy=False, header_comment=HEADER)
    for path in paths:
        text = path.read_text()
        code = _calls(text, path) if path.suffix == ".html" else _with_calls_in_f_strings(text)
        for _, message, _, context in extract("python", io.BytesIO(code.encode()), keywords=MARKS):
            if _first(message) not in DJANGOS:
                found.add(message, locations=[(path.relative_to(base).as_posix(), None)], context=context)
    return found


def _calls(template: str, path: Path) -> str:
    """The strings of a template as calls of gettext, in lines that Python's tokenizer reads."""
    lines = templatize(template, origin=str(path)).splitlines()
    # Everything else has become letters: XXXX, BBBB, SSSS, PPPP.
    return "\n".join(re.sub(r"(?<![\w'\"])[XBSP]+(?![\w'\"])", "", line).strip() for line in lines)


def _with_calls_in_f_strings(code: str) -> str:
    """Before Python 3.12 the tokenizer, which Babel uses, does not look into f-strings."""
    return "\n".join((code, *re.findall(r"{(_\('[^']*'\))", code), ""))


def _first(message: str | tuple[str, ...]) -> str:
    """The message itself, or its singular."""
    return message if isinstance(message, str) else message[0]


def _djangos() -> set[str]:
    """The strings that Django and those of its apps that the product has translate."""
    installed = [name.removeprefix("django.contrib.") for name in (*INSTALLED, "django.contrib.admin")]
    packages = [Path(conf.__file__).parent, *(Path(contrib.__path__[0]) / name for name in installed)]
    found: set[str] = set()
    for path in (package / "locale" / LOCALE / "LC_MESSAGES/django.po" for package in packages):
        if path.exists():
            with path.open("rb") as file:
                found |= {_first(each.id) for each in read_po(file) if each.string and not each.fuzzy}
    return found


DJANGOS = _djangos()


def stored() -> Catalog:
    with PO.open("rb") as file:
        return read_po(file, locale=LOCALE)


def _unfolds_stored() -> Iterator[Message]:
    """The strings of unfold that are in the catalogue, of the release that is installed or another."""
    for message in stored() if PO.exists() else ():
        if any(path.startswith(UNFOLD.name) for path, _ in message.locations):
            yield message


def compiled(translated: Catalog) -> bytes:
    """The binary form (.mo), which is what Django reads."""
    written = io.BytesIO()
    write_mo(written, translated)
    return written.getvalue()


def main() -> None:
    found = catalogue(ours(), ROOT)
    for message in (*catalogue(unfolds(), UNFOLD.parent), *_unfolds_stored()):
        if message.id:
            found.add(message.id, locations=[(UNFOLD.name, None)], context=message.context)
    if PO.exists():
        present = stored()
        present.update(found, no_fuzzy_matching=True, update_creation_date=False)
        found = present
    PO.parent.mkdir(parents=True, exist_ok=True)
    with PO.open("wb") as file:
        write_po(file, found, width=110, sort_output=True, include_lineno=False, ignore_obsolete=True)
    MO.write_bytes(compiled(stored()))
    missing = sum(not is_translated(message.string) for message in found if message.id)
    print(f"{len(found)} strings, {missing} of them without a translation: {PO.relative_to(ROOT)}")


def is_translated(translation: str | tuple[str, ...]) -> bool:
    return all(translation) if isinstance(translation, tuple) else bool(translation)


if __name__ == "__main__":
    main()
