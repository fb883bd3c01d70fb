"""Wire formats: how clients speak. Each file reads top to bottom: wire models, to core, from core, errors, routes."""
