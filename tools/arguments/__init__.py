"""Arguments of tools, checked against their schemas before a server is asked."""

from tools.arguments.checking import InvalidArguments, checked, checked_here
from tools.arguments.problems import Problem

__all__ = ["InvalidArguments", "Problem", "checked", "checked_here"]
