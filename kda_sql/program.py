"""A program's statements: streams with their columns, pumps with their queries, comments kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlglot import exp
from sqlglot.errors import ParseError, TokenError
from sqlglot.tokenizer_core import Token, TokenType

from kda_sql.dialect import parsed
from kda_sql.errors import Located, Problem, place
from kda_sql.nodes import CreatePump, CreateStream, offset
from kda_sql.tokens import tokenized
from kda_sql.types import SqlType, parse_type


@dataclass(frozen=True)
class Statement:
    """One statement: its text, position and comments."""

    text: str
    line: int
    start: int
    comments: tuple[str, ...]


@dataclass(frozen=True)
class Stream:
    """CREATE STREAM: its columns by folded name, in order, and the problems of their types."""

    name: str
    columns: dict[str, SqlType]
    statement: Statement
    faults: tuple[Problem, ...] = ()


@dataclass(frozen=True)
class Pump:
    """CREATE PUMP: the stream and the columns that it fills, and its query."""

    name: str
    into: exp.Identifier
    columns: tuple[exp.Identifier, ...]
    query: Any
    statement: Statement
    stopped: bool = False


#: Statements that are left out, with the reason or what to do instead.
LEFT_OUT = {
    "ALTER": "pumps start and stop with the application: `kda run`, Ctrl-C",
    "DROP": "only what the program creates exists",
    "CREATE VIEW": "a stream that a pump fills is the same: CREATE STREAM, CREATE PUMP",
    "CREATE FUNCTION": "write what it computes where it is called",
    "CREATE SCHEMA": "streams need no schema here",
    "SET": "settings are properties of the application: `kda properties`",
}


@dataclass
class Program:
    """All statements, and the problems found so far.

    Attributes
    ----------
    streams : dict of Stream
        By folded name.
    pumps : list of Pump
        In the order of the text.
    problems : list of Problem
        Statements that can't be read.
    left_out : list of (Statement, str)
        Statements that are not translated, and why.
    """

    text: str
    streams: dict[str, Stream] = field(default_factory=dict)
    pumps: list[Pump] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    left_out: list[tuple[Statement, str]] = field(default_factory=list)

    def problem(self, located: Located) -> None:
        """Record a problem; parsing goes on with the next statement."""
        self.problems.append(Problem(*place(self.text, located.offset), located.message))


def fold(name: exp.Identifier) -> str:
    """The name that an identifier means: in upper case if it is without quotes."""
    return str(name.this) if name.args.get("quoted") else str(name.this).upper()


def parse(text: str) -> Program:
    """Read all statements of a program; problems are collected, statement by statement.

    Examples
    --------
    >>> program = parse('CREATE STREAM a (b INTEGER); CREATE PUMP p AS INSERT INTO a SELECT STREAM b FROM "S"')
    >>> program.streams["A"].columns["B"].kind, program.pumps[0].name
    ('INTEGER', 'P')
    """
    program = Program(text)
    try:
        tokens = tokenized(text)
    except Located as e:
        program.problem(e)
        return program
    for statement in _statements(tokens):
        if not statement:
            continue
        words = [t.text.upper() for t in statement[:4] if t.text.upper() not in ("OR", "REPLACE")]
        word = " ".join(words[: 2 if words[0] == "CREATE" else 1])
        if word in LEFT_OUT:
            program.left_out.append((_described(statement, text), LEFT_OUT[word]))
            continue
        try:
            _add(program, parsed(statement, text), _described(statement, text))
        except Located as e:
            program.problem(e)
        except (ParseError, TokenError, RecursionError, AttributeError, TypeError) as e:
            # sqlglot raises any of these while parsing.
            reason = "nested too deeply" if isinstance(e, RecursionError) else str(e).split("\n")[0]
            program.problem(Located(f"this statement can't be read: {reason}", statement[0].start))
    if not program.streams and not program.pumps and not program.problems:
        program.problem(Located("required CREATE STREAM and CREATE PUMP, got no statement", 0))
    return program


def _statements(tokens: Sequence[Token]) -> list[list[Token]]:
    statements: list[list[Token]] = [[]]
    for token in tokens:
        if token.token_type == TokenType.SEMICOLON:
            if statements[-1] and token.comments:
                statements[-1][-1].comments.extend(token.comments)
            statements.append([])
        else:
            statements[-1].append(token)
    return statements


def _described(statement: Sequence[Token], text: str) -> Statement:
    first, last = statement[0], statement[-1]
    comments = tuple(
        line.strip(" *\t\r")
        for token in statement
        for comment in token.comments
        for line in comment.strip().splitlines()
        if line.strip(" *\t\r")
    )
    return Statement(text[first.start : last.end + 1], place(text, first.start)[0], first.start, comments)


def _add(program: Program, tree: Any, statement: Statement) -> None:
    if isinstance(tree, CreateStream):
        name = fold(tree.this)
        query = tree.args.get("query")
        if query is not None and not tree.expressions:
            raise Located(
                "CREATE STREAM with AS SELECT: write the columns, and a CREATE PUMP that fills them",
                statement.start,
            )
        if name in program.streams:
            raise Located(f"stream {name} is created twice", offset(tree.this))
        columns: dict[str, SqlType] = {}
        faults: list[Problem] = []
        for column in tree.expressions:
            identifier, type_ = column.expressions
            folded = fold(identifier)
            if folded in columns:
                raise Located(f"column {folded} is declared twice in stream {name}", offset(identifier))
            try:
                columns[folded] = parse_type(type_.this)
            except ValueError as e:
                faults.append(Problem(*place(program.text, offset(type_)), f"column {folded}: {e}"))
                columns[folded] = SqlType("VARCHAR")
        program.streams[name] = Stream(name, columns, statement, tuple(faults))
        if query is not None:
            program.pumps.append(Pump(name, tree.this, (), query, statement))
    elif isinstance(tree, CreatePump):
        name = fold(tree.this)
        for old in [p for p in program.pumps if p.name == name]:
            program.pumps.remove(old)
            program.left_out.append((old.statement, f"pump {name} is replaced in line {statement.line}"))
        program.pumps.append(
            Pump(
                name,
                tree.args["into"],
                tuple(tree.args.get("columns") or ()),
                tree.args["query"],
                statement,
                bool(tree.args.get("stopped")),
            )
        )
