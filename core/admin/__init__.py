"""Pages of the console. They show secrets masked, and change rows by the verbs of the row's app alone.

A rule that a verb enforces is shown beside the field that breaks it, as the REST API reports it.
"""
