"""Report pages: a document of headings, tables, charts and pictures, written as HTML or PDF."""
