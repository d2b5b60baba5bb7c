"""Reads a tree of Python code without running it: its files, and what a name means.

Each file uses those before it: `files` lists what is worth reading, `syntax` looks at
statements and expressions, `modules` parses a file on demand, `sources` guesses from
where imports start, `code` follows a dotted name to the places where it is defined,
`kinds` lists what is of use here, `things` says what an expression may stand for.
"""
