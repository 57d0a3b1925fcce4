"""What went wrong at products like this one, by class of advisory: see README.md."""
