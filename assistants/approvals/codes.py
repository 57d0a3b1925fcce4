"""Why a call was not made, as a code: beside those of `connector.client.outcomes`."""

DENIED = "denied_by_rule"
PENDING = "approval_pending"
NOT_APPROVED = "not_approved"
"""A person rejected the call, nobody decided in time, or nobody could be asked any more."""
UNKNOWN_OUTCOME = "unknown_outcome"
"""It was approved and begun, and may have been made."""
