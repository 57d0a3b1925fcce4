"""Configuration as code: a YAML file of all that staff configure, exported and applied."""

from assistants.configuration.applying import Applied, apply
from assistants.configuration.exporting import as_yaml, export
from assistants.configuration.reading import LONGEST, InvalidConfiguration, read, require_storable
from assistants.configuration.secret_references import fillable

__all__ = [
    "LONGEST",
    "Applied",
    "InvalidConfiguration",
    "apply",
    "as_yaml",
    "export",
    "fillable",
    "read",
    "require_storable",
]
