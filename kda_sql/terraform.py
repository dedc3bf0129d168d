"""SQL applications in Terraform files, of both resource types."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kda_sql.described_json import application
from kda_sql.description import Described, DescriptionError, get

_KINDS = ("aws_kinesis_analytics_application", "aws_kinesisanalyticsv2_application")
_REFERENCE = re.compile(r"\$?\{?\s*((?:data\.)?\w+)\.(\w+)(?:\[[^\]]*\])?\.(\w+)\s*\}?")
_FILE = re.compile(r"(?:file|templatefile)\(\s*\\?\"([^\"\\]+)\\?\"")


def read_terraform(path: Path) -> list[Described]:
    """The SQL applications of a Terraform file.

    Raises
    ------
    DescriptionError
        The file can't be read as HCL, or has no SQL application.
    """
    import hcl2

    try:
        tree = hcl2.loads(path.read_text(encoding="utf-8"))
    except Exception as e:  # hcl2's parser has no exception of its own
        raise DescriptionError(f"{path}: not valid HCL: {str(e).splitlines()[0]}") from None
    values = _Values(tree, path.parent)
    found = []
    for kind, name, raw in values.resources():
        if kind not in _KINDS:
            continue
        body = values.resolved(raw)
        if not str(get(body, "RuntimeEnvironment") or "SQL").upper().startswith("SQL"):
            continue
        found.append(application(body, f"{path}: {kind}.{name}", name))
    if not found:
        raise DescriptionError(f"{path}: required a resource {' or '.join(_KINDS)}, got none")
    return found


class _Values:
    """Evaluates a file's expressions, as far as it and the files beside it allow."""

    def __init__(self, tree: Mapping[str, Any], folder: Path) -> None:
        self._tree, self._folder = tree, folder

    def resources(self) -> list[tuple[str, str, Any]]:
        """Kind, name and body of every resource."""
        return [
            (_text(kind), _text(name), body)
            for each in self._tree.get("resource", ())
            for kind, named in each.items()
            for name, body in named.items()
            if not name.startswith("__")
        ]

    def resolved(self, tree: Any) -> Any:
        """A copy of a tree with its expressions evaluated."""
        if isinstance(tree, list):
            return [self.resolved(each) for each in tree]
        if isinstance(tree, Mapping):
            return {_text(k): self.resolved(v) for k, v in tree.items() if not k.startswith("__")}
        return self._plain(tree) if isinstance(tree, str) else tree

    def _plain(self, value: str) -> str:
        text = _text(value)
        file = _FILE.search(text)
        if file and text.startswith("${"):
            return self._file(file[1])
        whole = _REFERENCE.fullmatch(text)
        if whole:
            return self._named(whole)
        return re.sub(r"\$\{[^}]*\}", lambda m: self._inside(m.group()), text)

    def _inside(self, expression: str) -> str:
        variable = re.fullmatch(r"\$\{\s*var\.(\w+)\s*\}", expression)
        if variable:
            return self._variable(variable[1])
        match = _REFERENCE.fullmatch(expression)
        return self._named(match) if match else expression.strip("${} ")

    def _variable(self, name: str) -> str:
        for each in self._tree.get("variable", ()):
            for key, body in each.items():
                if _text(key) == name:
                    return _text(str(body.get("default", name)))
        return name

    def _named(self, match: re.Match[str]) -> str:
        kind, name, _ = match.groups()
        if kind == "var":
            return self._variable(name)
        for other, logical, body in self.resources():
            if (other, logical) == (kind, name):
                for key in ("name", "function_name", "bucket"):
                    if isinstance(body.get(key), str):
                        return self._plain(body[key])
        return name

    def _file(self, name: str) -> str:
        path = (self._folder / name.replace("${path.module}/", "").replace("${path.root}/", "")).resolve()
        # Only files in the same folder or below may be read.
        if not path.is_relative_to(self._folder.resolve()) or not path.is_file():
            raise DescriptionError(
                f"{self._folder / name}: required a file beside the Terraform file, found none"
            )
        return path.read_text(encoding="utf-8")


def _text(value: str) -> str:
    """The value of an HCL string: without quotes or a heredoc's marks."""
    if len(value) < 2 or value[0] != '"' or value[-1] != '"':
        return value
    inner = value[1:-1]
    heredoc = re.fullmatch(r"<<(-?)(\w+)\r?\n(.*?)\r?\n?\s*\2\s*", inner, re.DOTALL)
    if heredoc:
        return textwrap.dedent(heredoc[3]) if heredoc[1] else heredoc[3]
    return inner.replace('\\"', '"').replace("\\n", "\n").replace("\\t", "\t").replace("\\\\", "\\")
