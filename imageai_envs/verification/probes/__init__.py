"""Scripts that run *inside* environments: standard library and what the environment has, Python 3.6 syntax.

They are executed by path, never imported. Each prints one line ``@@imageai-env@@`` + JSON on standard output. There is
one script for each generation of ImageAI, which says how it differs (``imageai215_probe``, ``imageai_probe`` for 2.1.6,
``imageai3_probe``); what they ask, and how answers are judged, they share (``probe_stages``, ``probe_judgements``).
"""
