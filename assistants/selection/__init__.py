"""Selects the tools of an assistant that its model is given, for each round of a run."""
