"""The report of an evaluation: one document of plain data, written as HTML, Markdown or PDF."""
