"""Lays code out as ruff and black do, whatever the length of lines is."""

import ast
import io
import re
import tokenize

UNREADABLE = (
    *(SyntaxError, ValueError, TypeError, RecursionError, MemoryError),
    tokenize.TokenError,
)
LINE_LENGTH = 71  # 79 columns, less the indentation of the lines in env.py


def in_double_quotes(code: str) -> str:
    """One line of code with the strings in it quoted as ruff and black do."""
    pieces, end = [], 0
    for token in tokenize.generate_tokens(io.StringIO(code).readline):
        if token.type == tokenize.STRING and '"' not in token.string:
            start, stop = token.start[1], token.end[1]
            pieces += [code[end:start], code[start:stop].replace("'", '"')]
            end = stop
    return "".join(pieces) + code[end:]


def laid_out(code: str, indent: int, before: int = 0, after: int = 1) -> str:
    """An expression as ruff and black lay it out, whatever line length they have.

    One that is too long for the shortest has each part on a line, with a comma after it.

    :param indent: of the line that it begins on.
    :param before: the width of what stands before it on this line, without the indent.
    """
    node = ast.parse(code, mode="eval").body
    code = in_double_quotes(ast.unparse(node))
    parts = parts_of(node)
    if indent + before + len(code) + after <= LINE_LENGTH or not parts:
        return code
    opening, closing = (
        code[: code.index(brackets_of(node)[0]) + 1],
        brackets_of(node)[1],
    )
    inner = indent + 4
    lines = [
        f"{' ' * inner}{name}{laid_out(ast.unparse(part), inner, len(name))},"
        for name, part in parts
    ]
    return "\n".join([opening, *lines, f"{' ' * indent}{closing}"])


def brackets_of(node: ast.AST) -> str:
    """The brackets that are around the parts of an expression."""
    return {ast.Call: "()", ast.Tuple: "()", ast.List: "[]"}.get(type(node), "{}")


def parts_of(node: ast.AST) -> list[tuple[str, ast.AST]]:
    """The parts of an expression, each with what stands before it: `name=` or `"key": `."""
    if isinstance(node, ast.Call):
        named = [(f"{word.arg}=", word.value) for word in node.keywords]
        return [*(("", argument) for argument in node.args), *named]
    if isinstance(node, ast.Dict):
        keys = [in_double_quotes(ast.unparse(key)) for key in node.keys]
        return [
            (f"{key}: ", value) for key, value in zip(keys, node.values, strict=True)
        ]
    return [("", part) for part in getattr(node, "elts", ())]


def assigned(target: str, code: str, indent: int = 0) -> str:
    """An assignment of an expression."""
    return f"{target} = {laid_out(code, indent, len(target) + 3, after=0)}"


def indented(lines: list[str], indent: int) -> list[str]:
    """The lines, but for empty ones, moved to the right."""
    return [f"{' ' * indent}{line}" if line else "" for line in lines]


def shown(code: str) -> str:
    """Code in one short line, without the password of a URL."""
    code = re.sub(r"(://[^:/@\s]*:)[^@\s]+@", r"\1***@", " ".join(code.split()))
    return code if len(code) <= 100 else f"{code[:97]}..."
