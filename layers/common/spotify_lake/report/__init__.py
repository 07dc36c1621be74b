"""The report: one web page about the lake, built from Athena query results.

`run` queries, composes, renders and stores. `queries`, `content` and `charts` determine what the page shows; `page`
and the folder `assets` determine how it looks.
"""
