"""Real embeddings clients, unmodified and pinned, each driven by a small program in its own language.

`environments.py` installs them, `drivers.py` talks to them, `registry.py` lists them with what each does by itself.
"""
