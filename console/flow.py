"""An application's flow as a graph for the page: sources, relations and destinations in stages, with arrows."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from console.resources import Resources
from pipeline.application import Application
from pipeline.relations import Detector, Forest, Lookup, Relation


@dataclass(frozen=True)
class Node:
    """One box.

    Attributes
    ----------
    id : str
        Unique in its flow.
    label : str
        Its name on the page.
    relation : str or None
        The relation whose rows it shows; None: it is outside the job.
    note : str
        One line that says what it is.
    """

    id: str
    label: str
    relation: str | None = None
    note: str = ""


@dataclass(frozen=True)
class Flow:
    """Nodes and arrows.

    Attributes
    ----------
    stages : tuple of tuple of Node
        Nodes by stage, from sources to destinations.
    edges : tuple of (str, str)
        Arrows, as ids of nodes: from, to.
    """

    stages: tuple[tuple[Node, ...], ...]
    edges: tuple[tuple[str, str], ...]

    def as_json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)


def flow(application: Application, found: Resources) -> Flow:
    """Make the flow of an application.

    Parameters
    ----------
    application : Application
    found : Resources
        Its sources and destinations.
    """
    relations = {relation.name: relation for relation in application.relations}
    inputs = [Node(f"from {s.relation}", s.resource, None, s.kind) for s in found.sources]
    inputs += [Node(name, name, None, "reference table") for name in application.references]
    stages = [tuple(inputs)]
    for stage in application.stages():
        stages.append(tuple(Node(name, name, name, _note(application, relations, name)) for name in stage))
    if found.targets:
        stages.append(tuple(Node(f"to {t.name}", t.label, None, t.kind) for t in found.targets))

    known = {node.id for stage in stages for node in stage}
    edges = [(f"from {s.relation}", s.relation) for s in found.sources]
    for begin, end in application.edges():
        # A view may read a source's heartbeats, which are not shown: draw an arrow from the source.
        begin = begin if begin in known else begin.removesuffix("_heartbeats")
        edges.append((begin, end))
    edges += [(r.reference, r.name) for r in application.relations if isinstance(r, Lookup)]
    edges += [(t.of, f"to {t.name}") for t in found.targets]
    shown = tuple(dict.fromkeys(edge for edge in edges if set(edge) <= known))
    return Flow(tuple(stages), shown)


def _note(application: Application, relations: dict[str, Relation], name: str) -> str:
    if name in application.sources:
        return application.sources[name].note
    relation = relations[name]
    if relation.note:
        return relation.note
    if isinstance(relation, Detector):
        return "anomaly detector"
    return "random cut forest" if isinstance(relation, Forest) else ""
