"""Writes the document into the API function's folder."""

from infra.openapi.document import PLACE, as_text, build_document

PLACE.write_text(as_text(build_document()), "utf-8")
print(f"Wrote {PLACE}.")
