"""Writes the document into the API function's folder, and the table of errors into its page."""

from infra.openapi import document, table

document.PLACE.write_text(document.as_text(document.build_document()), "utf-8")
table.PLACE.write_text(table.with_table(table.PLACE.read_text("utf-8")), "utf-8")
print(f"Wrote {document.PLACE} and the table in {table.PLACE}.")
