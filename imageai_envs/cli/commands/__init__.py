"""One module per verb; each has ``command``, a click command. Loaded only when the verb is used."""
