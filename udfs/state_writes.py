"""Write the state of all keys of a bundle in one go.

PyFlink writes each key's state by a request of its own and waits for the answer. With hundreds of keys that takes
longer than the computation, so requests are collected here until the bundle ends or state is read. Like
:mod:`udfs.row_batches` this depends on the internals of PyFlink 1.20's worker.
"""

from __future__ import annotations

from copy import copy
from typing import Any

from udfs.key_groups import MOST
from udfs.state_channel import StateChannel

_METHOD = "/org.apache.beam.model.fn_execution.v1.BeamFnState/State"

#: As many states as a forest's function has: two for each of the most buckets.
_KEYS_STATES = 2 * MOST


class _Requests:
    """The writing part of Beam's handler of raw requests: collects them."""

    def __init__(self) -> None:
        self.waiting: list[Any] = []

    def append_raw(self, state_key: Any, data: bytes) -> None:
        from apache_beam.portability.api import beam_fn_api_pb2 as api  # type: ignore[import-untyped]

        append = api.StateAppendRequest(data=data)
        self.waiting.append(api.StateRequest(state_key=state_key, append=append))

    def clear(self, state_key: Any) -> None:
        from apache_beam.portability.api import beam_fn_api_pb2 as api

        self.waiting.append(api.StateRequest(state_key=state_key, clear=api.StateClearRequest()))


class _Together:
    """PyFlink's state handler, except that writes wait until the next read or `flush`.

    Parameters
    ----------
    handler : CachingStateHandler
        PyFlink's own.
    address : str
        Of the JVM's state service.
    """

    def __init__(self, handler: Any, address: str) -> None:
        from apache_beam.runners.worker import worker_id_interceptor  # type: ignore[import-untyped]

        self._handler = handler
        self._requests = _Requests()
        self._writing = copy(handler)
        self._writing._underlying = self._requests
        worker = worker_id_interceptor.WorkerIdInterceptor()._worker_id
        self._channel = StateChannel(address, _METHOD, {"worker_id": worker} if worker else {})

    def __getattr__(self, name: str) -> Any:
        return getattr(self._handler, name)

    def extend(self, *arguments: Any) -> None:
        """Write, later; there is nothing to wait for."""
        self._writing.extend(*arguments)

    def clear(self, *arguments: Any) -> None:
        """Clear, later."""
        self._writing.clear(*arguments)

    def blocking_get(self, *arguments: Any) -> Any:
        """Read."""
        self.flush()
        return self._handler.blocking_get(*arguments)

    def flush(self) -> None:
        """Send all requests and wait for their answers."""
        from apache_beam.portability.api import beam_fn_api_pb2 as api

        requests, self._requests.waiting = self._requests.waiting, []
        if not requests:
            return
        instruction = self._handler._underlying._context.process_instruction_id
        for number, request in enumerate(requests):
            request.id, request.instruction_id = str(number), instruction
        answers = self._channel.exchange([request.SerializeToString() for request in requests])
        if refused := [error for answer in answers if (error := api.StateResponse.FromString(answer).error)]:
            raise RuntimeError(f"state could not be written: {refused[0]}")


def write_together(backend: Any, address: str) -> None:
    """Make a keyed state backend write all state at the end of a bundle, and wait once."""
    commit = backend.commit
    # What PyFlink drops from its cache (of 1,000) is made anew, which takes longer than to write it.
    backend._internal_state_cache._max_entries = _KEYS_STATES
    together = backend._state_handler = _Together(backend._state_handler, address)

    def commit_all() -> None:
        commit()
        together.flush()

    backend.commit = commit_all
