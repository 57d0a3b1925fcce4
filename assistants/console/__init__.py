"""Pages of the console that show more than one app."""
