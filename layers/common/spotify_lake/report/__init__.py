"""The report: one web page about the lake, written anew from Athena's answers.

`run` asks, composes, renders and stores; `queries` and `content` say what is on the page, `page` and the folder
`assets` what it looks like.
"""
