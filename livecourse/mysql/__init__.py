"""Django's own MySQL backend, with one round trip less in each transaction."""
