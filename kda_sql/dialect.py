"""KDA's SQL as a dialect of sqlglot: the tokens and the grammar that other dialects lack.

The parser keeps every function as it was written; its meaning is resolved later.
"""

from __future__ import annotations

from typing import Any, ClassVar

from sqlglot import exp, parser, tokens
from sqlglot.dialects.dialect import Dialect
from sqlglot.errors import ErrorLevel
from sqlglot.tokenizer_core import Token, TokenType

from kda_sql.errors import Located
from kda_sql.nodes import (
    CreatePump,
    CreateStream,
    Cursor,
    Difference,
    PatternSubstring,
    Stagger,
    Step,
    Truncated,
)

UNITS = ("YEAR", "MONTH", "WEEK", "DAY", "HOUR", "MINUTE", "SECOND")
#: The token of WINDOWED BY STAGGER: a type of sqlglot's that no KDA program uses.
STAGGER = TokenType.CONNECT_BY


class KdaSql(Dialect):
    """The dialect."""

    class Tokenizer(tokens.Tokenizer):
        IDENTIFIERS = ['"']  # noqa: RUF012
        QUOTES = ["'"]  # noqa: RUF012
        COMMENTS = ["--", "//", ("/*", "*/")]  # noqa: RUF012
        NESTED_COMMENTS = False
        STRING_ESCAPES = ["'"]  # noqa: RUF012

    class Parser(parser.Parser):
        # Every call stays a function of that name.
        FUNCTIONS: ClassVar[dict[str, Any]] = {}
        NO_PAREN_FUNCTIONS: ClassVar[dict[Any, Any]] = {}
        NO_PAREN_FUNCTION_PARSERS = {  # noqa: RUF012
            "CASE": lambda self: self._parse_case(),
        }
        FUNCTION_PARSERS = {  # noqa: RUF012
            "CAST": lambda self: self._parse_cast(True),
            "EXTRACT": lambda self: self._parse_extract_of(),
            "POSITION": lambda self: self._parse_position(),
            "SUBSTRING": lambda self: self._parse_substring_of(),
            "TRIM": lambda self: self._parse_trim(),
            "OVERLAY": lambda self: self._parse_overlay_of(),
            "FLOOR": lambda self: self._parse_truncated("FLOOR"),
            "CEIL": lambda self: self._parse_truncated("CEIL"),
            "CEILING": lambda self: self._parse_truncated("CEIL"),
            "STEP": lambda self: self._parse_step(),
            "CURSOR": lambda self: self.expression(Cursor(this=self._parse_select())),
        }
        QUERY_MODIFIER_PARSERS = {  # noqa: RUF012
            TokenType.WHERE: lambda self: ("where", self._parse_where()),
            TokenType.GROUP_BY: lambda self: ("group", self._parse_group()),
            TokenType.HAVING: lambda self: ("having", self._parse_having()),
            TokenType.WINDOW: lambda self: ("windows", self._parse_window_clause()),
            TokenType.ORDER_BY: lambda self: ("order", self._parse_order()),
            STAGGER: lambda self: ("stagger", self._parse_stagger()),
        }
        QUERY_MODIFIER_TOKENS = set(QUERY_MODIFIER_PARSERS)  # noqa: RUF012
        STATEMENT_PARSERS = {TokenType.CREATE: lambda self: self._parse_create_of_kda()}  # noqa: RUF012

        def raise_error(self, message: str, token: Any = None) -> None:
            token = token or self._curr or self._prev
            got = f"got {token.text}" if token and token is self._curr else "the statement ends here"
            said = {
                "Expecting )": f"required ), {got}",
                "Expecting (": f"required (, {got}",
                "Invalid expression / Unexpected token": f"{token.text if token else 'this'} is not understood here",
            }
            raise Located(said.get(message, message), token.start if token else 0)

        def _parse_statement(self) -> Any:
            if self._curr and self._curr.token_type == TokenType.CREATE:
                return super()._parse_statement()
            found = self._curr.text if self._curr else "nothing"
            self.raise_error(
                f"required CREATE STREAM or CREATE PUMP, got {found}: a program has no other statements"
            )

        def _parse_create_of_kda(self) -> Any:
            self._match_text_seq("OR", "REPLACE")
            if self._match_text_seq("STREAM"):
                return self._parse_create_stream()
            if self._match_text_seq("PUMP"):
                return self._parse_create_pump()
            found = self._curr.text if self._curr else "the end"
            self.raise_error(f"required CREATE STREAM or CREATE PUMP, got CREATE {found}")

        def _parse_create_stream(self) -> Any:
            name, columns = self._parse_name("a stream's name"), []
            if self._match(TokenType.L_PAREN):
                while not self._match(TokenType.R_PAREN):
                    columns.append(self._parse_declared_column())
                    if not self._match(TokenType.COMMA) and self._curr.token_type != TokenType.R_PAREN:
                        self.raise_error("required , or ) after a column")
            if self._match_text_seq("DESCRIPTION"):
                self._parse_string()
            query = self._parse_select() if self._match(TokenType.ALIAS) else None
            if not columns and query is None:
                self.raise_error("required the stream's columns in parentheses")
            return self.expression(CreateStream(this=name, expressions=columns, query=query))

        def _parse_declared_column(self) -> Any:
            name = self._parse_name("a column's name")
            start = self._curr
            if start is None or start.token_type in (TokenType.COMMA, TokenType.R_PAREN):
                self.raise_error(f"required a type after column {name.name}")
            depth, end = 0, start
            # Keep the type's text: `parse_type` knows which types exist.
            while self._curr and (depth or self._curr.token_type not in (TokenType.COMMA, TokenType.R_PAREN)):
                depth += {TokenType.L_PAREN: 1, TokenType.R_PAREN: -1}.get(self._curr.token_type, 0)
                if not depth and self._match_texts(
                    ("NOT", "NULL", "PRIMARY", "KEY", "DEFAULT"), advance=False
                ):
                    break
                end = self._curr
                self._advance()
            while self._match_texts(("NOT", "NULL", "PRIMARY", "KEY")):
                pass
            type_ = exp.Literal.string(self._find_sql(start, end)).update_positions(start)
            return exp.Tuple(expressions=[name, type_])

        def _parse_create_pump(self) -> Any:
            name = self._parse_name("a pump's name")
            self._match_text_seq("DESCRIPTION") and self._parse_string()
            stopped = bool(self._match_text_seq("STOPPED"))
            self._match_text_seq("STARTED")
            if not self._match(TokenType.ALIAS):
                self.raise_error("required AS INSERT INTO after a pump's name")
            if not self._match(TokenType.INSERT):
                self.raise_error("required INSERT INTO after AS")
            self._match_text_seq("EXPEDITED")
            if not self._match(TokenType.INTO):
                self.raise_error("required INTO after INSERT")
            into = self._parse_name("the name of the stream that the pump fills")
            columns = []
            if (
                self._curr
                and self._curr.token_type == TokenType.L_PAREN
                and self._next.token_type != TokenType.SELECT
            ):
                columns = self._parse_wrapped_csv(lambda: self._parse_name("a column's name"))
            query = self._parse_whole_query()
            return self.expression(
                CreatePump(this=name, into=into, columns=columns, query=query, stopped=stopped)
            )

        def _parse_whole_query(self) -> Any:
            if self._curr and self._curr.token_type == TokenType.L_PAREN:
                query = self._parse_set_operations(self._parse_wrapped(self._parse_whole_query))
            else:
                query = self._parse_select()
            if query is None:
                self.raise_error("required SELECT STREAM")
            return query

        def _parse_name(self, what: str) -> Any:
            # Any word: streams and columns may have names that other dialects reserve.
            name = self._parse_id_var(any_token=True) if self._curr else None
            if not isinstance(name, exp.Identifier):
                self.raise_error(f"required {what}")
            if self._match(TokenType.DOT):  # a schema's name in front, as in "application"."stream"
                return self._parse_name(what)
            return name

        def _parse_table(self, *args: Any, **kwargs: Any) -> Any:
            if (
                self._curr
                and self._curr.text.upper() == "TABLE"
                and self._next
                and self._next.token_type == TokenType.L_PAREN
            ):
                self._advance(2)
                function = self._parse_function()
                if function is None:
                    self.raise_error("required a function in TABLE( )")
                self._match_r_paren()
                table: Any = self.expression(exp.Table(this=function))
                table.set("alias", self._parse_table_alias(alias_tokens=self.TABLE_ALIAS_TOKENS))
                return table
            table = super()._parse_table(*args, **kwargs)
            if isinstance(table, exp.Table) and self._curr and self._curr.text.upper() == "OVER":
                table.set("over", self._parse_window(exp.Null()))
            return table

        def _parse_table_parts(self, *args: Any, **kwargs: Any) -> Any:
            table = super()._parse_table_parts(*args, **kwargs)
            if table is not None and self._curr and self._curr.text.upper() == "OVER":
                table.set("over", self._parse_window(exp.Null()))
            return table

        def _parse_paren(self) -> Any:
            this = super()._parse_paren()
            if (
                isinstance(this, exp.Paren)
                and self._curr
                and self._curr.token_type != TokenType.IDENTIFIER
                and self._curr.text.upper() in UNITS
            ):
                unit = self._curr.text.upper()
                self._advance()
                if self._match_text_seq("TO") and self._curr:  # DAY TO SECOND: the last is the finest
                    unit = self._curr.text.upper()
                    self._advance()
                if self._match(TokenType.L_PAREN):  # SECOND(3)
                    self._advance()
                    self._match_r_paren()
                this = self.expression(Difference(this=this.this, unit=exp.var(unit)))
            return this

        def _parse_function_call(self, *args: Any, **kwargs: Any) -> Any:
            token = self._curr
            this = super()._parse_function_call(*args, **kwargs)
            inner = this
            while isinstance(inner, exp.Window | exp.IgnoreNulls | exp.RespectNulls):
                inner = inner.this
            if isinstance(inner, exp.Expression) and token and "start" not in inner.meta:
                inner.update_positions(token)
            return this

        def _parse_truncated(self, kind: str) -> Any:
            this = self._parse_disjunction()
            unit = None
            if self._match_text_seq("TO"):
                unit = exp.var(self._curr.text.upper() if self._curr else "")
                self._advance()
            elif (span := _taken_for_a_span(this)) is not None:
                unit = exp.var(span.args["unit"].expression.name.upper())
                span.set("unit", span.args["unit"].this)
            elif self._match(TokenType.COMMA):
                self.raise_error(f"{kind} takes one value, or a time: {kind}(t TO MINUTE)")
            return self.expression(Truncated(this=this, kind=kind, unit=unit))

        def _parse_step(self) -> Any:
            this = self._parse_disjunction()
            if not self._match_text_seq("BY"):
                self.raise_error("required BY: STEP(t BY INTERVAL '1' MINUTE)")
            return self.expression(Step(this=this, by=self._parse_disjunction()))

        def _parse_extract_of(self) -> Any:
            unit = self._curr.text.upper() if self._curr else ""
            self._advance()
            if not self._match(TokenType.FROM):
                self.raise_error("required FROM: EXTRACT(HOUR FROM t)")
            return self.expression(exp.Extract(this=exp.var(unit), expression=self._parse_disjunction()))

        def _parse_substring_of(self) -> Any:
            this = self._parse_disjunction()
            if self._match(TokenType.FROM):
                start = self._parse_disjunction()
                length = self._parse_disjunction() if self._match(TokenType.FOR) else None
                return self.expression(PatternSubstring(this=this, start=start, length=length))
            arguments = [this]
            while self._match(TokenType.COMMA):
                arguments.append(self._parse_disjunction())
            return self.expression(exp.Anonymous(this="SUBSTRING", expressions=arguments))

        def _parse_overlay_of(self) -> Any:
            arguments = [self._parse_disjunction()]
            for word in ("PLACING", "FROM", "FOR"):
                if self._match_text_seq(word) or self._match(TokenType.COMMA):
                    arguments.append(self._parse_disjunction())
            return self.expression(exp.Anonymous(this="OVERLAY", expressions=arguments))

        def _parse_stagger(self) -> Any:
            self._match(STAGGER)
            self._match_l_paren()
            keys = self._parse_partition_by()
            if not self._match(TokenType.RANGE):
                self.raise_error("required RANGE INTERVAL in WINDOWED BY STAGGER")
            interval = self._parse_disjunction()
            self._match_text_seq("PRECEDING")
            self._match_r_paren()
            return self.expression(Stagger(expressions=keys, range=interval))


def _taken_for_a_span(node: Any) -> Any:
    """The interval of FLOOR(t - INTERVAL '30' SECOND TO MINUTE), which took TO MINUTE as its span; else None."""
    while isinstance(node, exp.Binary):
        node = node.expression
    spanned = isinstance(node, exp.Interval) and isinstance(node.args.get("unit"), exp.IntervalSpan)
    return node if spanned and str(node.this.this).strip().isdigit() else None


def parsed(statement: list[Token], text: str) -> Any:
    """Parse one statement to a tree; raises :class:`Located` if it can't."""
    parser_ = KdaSql.Parser(dialect=KdaSql(), error_level=ErrorLevel.IMMEDIATE)
    [tree] = parser_.parse(statement, text)
    return tree
