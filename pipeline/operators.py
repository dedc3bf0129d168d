"""The operators of a job, with the ids by which Flink finds their saved state."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple


class Operator(NamedTuple):
    """One operator of a job.

    Attributes
    ----------
    id : str
        Id of its saved state, 32 hexadecimal digits.
    uid : str or None
        The name from which the id is computed, if it was set: it stays the same in a changed job.
    name : str
        What it does, in Flink's words.
    """

    id: str
    uid: str | None
    name: str


def operators_of(table_env: Any, statements: Any) -> list[Operator]:
    """The operators of a statement set. It is planned, not run.

    Uses Flink's internal classes, as there is no public API for this; tested with the pinned version.
    """
    statement_set = statements._j_statement_set
    kind = statement_set.getClass()
    while kind.getSimpleName() != "StatementSetImpl":
        kind = kind.getSuperclass()
    field = kind.getDeclaredField("operations")
    field.setAccessible(True)
    transformations = table_env._j_tenv.getPlanner().translate(field.get(statement_set))
    # Chain Python operators, as Flink does at the start of a job.
    transformations = _jvm().org.apache.flink.python.chain.PythonOperatorChainingOptimizer.optimize(
        transformations
    )
    graph = table_env._j_tenv.execEnv().generateStreamGraph(transformations)
    hashes = _jvm().org.apache.flink.streaming.api.graph.StreamGraphHasherV2()
    ids = hashes.traverseStreamGraphAndGenerateHashes(graph)
    found = []
    for node in _each(graph.getStreamNodes()):
        uid, what = node.getTransformationUID(), str(node.getOperatorDescription())
        found.append(Operator(bytes(ids[node.getId()]).hex(), uid, re.sub(r"^\[\d+\]:", "", what)))
    return found


def saved_operators(path: str) -> set[str]:
    """Ids of the operators that have state in a savepoint or checkpoint; ``path`` is its folder or URI."""
    jvm = _jvm()
    folder = path.removeprefix("file:")
    stream = jvm.java.io.DataInputStream(jvm.java.io.FileInputStream(f"{folder}/_metadata"))
    try:
        loader = jvm.Thread.currentThread().getContextClassLoader()
        checkpoints = jvm.org.apache.flink.runtime.checkpoint.Checkpoints
        metadata = checkpoints.loadCheckpointMetadata(stream, loader, folder)
        return {
            str(state.getOperatorID())
            for state in _each(metadata.getOperatorStates())
            if state.getStateSize()
        }
    finally:
        stream.close()


def _jvm() -> Any:
    from pyflink.java_gateway import get_gateway

    return get_gateway().jvm


def _each(iterable: Any) -> Iterator[Any]:
    iterator = iterable.iterator()
    while iterator.hasNext():
        yield iterator.next()
