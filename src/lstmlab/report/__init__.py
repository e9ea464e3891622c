"""Findings with their evidence, written as one HTML page, one PDF and one editable Markdown file. It knows no runs."""

from lstmlab.report.figures import render, unlabelled
from lstmlab.report.formats import as_markdown, write
from lstmlab.report.sections import Document, Figure, Mathematics, Section, Table
from lstmlab.report.terminal import as_text
from lstmlab.report.text import excerpt, number

__all__ = [
    "Section", "Table", "Figure", "Mathematics", "Document", "write", "render", "as_text", "unlabelled", "excerpt",
    "as_markdown",    "number",
]  # fmt: skip
