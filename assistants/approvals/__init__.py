"""Approvals: the gate that every call passes, the calls that wait for a decision, and how they are made."""

from assistants.approvals.asking import Asker, Question, Ticket, TooManyWaiting, ask
from assistants.approvals.gate import Admitted, Asking, Gate, Refused
from assistants.approvals.outcomes import Failure, NotMade, Outcome, Result, delivered
from assistants.approvals.touched import Past
from assistants.approvals.waiting import outcome

__all__ = [
    "Admitted",
    "Asker",
    "Asking",
    "Failure",
    "Gate",
    "NotMade",
    "Outcome",
    "Past",
    "Question",
    "Refused",
    "Result",
    "Ticket",
    "TooManyWaiting",
    "ask",
    "delivered",
    "outcome",
]
