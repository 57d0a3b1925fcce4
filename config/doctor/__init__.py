"""`manage.py doctor`: checks everything that an installation needs, and says what to do where it fails."""

from config.doctor.checks import examine
from config.doctor.finding import Finding, State

__all__ = ["Finding", "State", "examine"]
