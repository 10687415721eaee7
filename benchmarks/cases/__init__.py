"""The cases of ``make bench``, each a function from the arena to a result."""
