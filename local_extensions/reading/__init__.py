"""Reads a tree of Python code without running it: its files, and what a name means.

Each file uses those before it: `files` lists what is worth reading, `syntax` looks at
statements and expressions, `modules` parses a file on demand, `sources` guesses from
where imports start, `code` follows a dotted name to the places where it is defined,
`kinds` says what an expression makes: a Flask app, a SQLAlchemy object, an engine, ...
"""
