"""The command, and for each product files with all that its documentation has examples of."""

from io import StringIO
from pathlib import Path

from django.core.management import call_command

FILES = Path(__file__).parent / "files"
PRODUCTS = {
    "litellm": ("litellm.yaml", "litellm-keys.json"),
    "mcphub": ("mcphub.json",),
    "metamcp": ("metamcp.json",),
    "contextforge": ("contextforge.json",),
    "open-webui": ("open-webui.json", "open-webui-models.json"),
    "librechat": ("librechat.yaml", "librechat-agents.json"),
    "claude": ("claude.json",),
    "cursor": ("cursor.json",),
    "vscode": ("vscode.json",),
}


def run(product: str, *files: str | Path, options: tuple[str, ...] = ()) -> tuple[list[str], list[str]]:
    """Imports files, and returns the lines of the difference and those of the report."""
    output, errors = StringIO(), StringIO()
    paths = [str(FILES / each) for each in files or PRODUCTS[product]]
    call_command("import_from", product, *paths, *options, stdout=output, stderr=errors)
    return output.getvalue().splitlines(), errors.getvalue().splitlines()


def left_out(report: list[str]) -> dict[str, str]:
    """Returns why, by the path of what did not come over."""
    told = (
        line.removeprefix("Left out: ").split(": ", 1) for line in report if line.startswith("Left out: ")
    )
    return {path: why for path, why in told if path != "ids, dates and the like"}


def to_do(report: list[str]) -> list[str]:
    return [line.removeprefix("To do: ") for line in report if line.startswith("To do: ")]
