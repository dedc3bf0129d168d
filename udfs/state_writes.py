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
from udfs.worker_objects import opening_objects

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
        _require_written([api.StateResponse.FromString(answer).error for answer in answers])

    def close_with_worker(self) -> None:
        """Close the channel when the worker closes its own: the JVM waits a minute for one that stays open."""
        done = self._handler.done

        def done_and_closed() -> None:
            self._channel.close()
            done()

        self._handler.done = done_and_closed


class _Promised:
    """PyFlink's state handler, except that answers to writes are waited for in `flush`."""

    def __init__(self, handler: Any) -> None:
        self._handler = handler
        self._written: list[Any] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._handler, name)

    def extend(self, *arguments: Any) -> None:
        """Write; there is nothing to wait for yet."""
        self._written.append(self._handler.extend(*arguments))

    def clear(self, *arguments: Any) -> None:
        """Clear."""
        self._written.append(self._handler.clear(*arguments))

    def flush(self) -> None:
        """Wait for all answers."""
        _require_written([future.get().error for future in self._written])
        self._written.clear()


def commit_together(backend: Any) -> None:
    """Make a keyed state backend write all state at the end of a bundle, and wait once."""
    handler, commit = backend._state_handler, backend.commit
    address = _address_of(handler)
    together: _Promised | _Together = _Promised(handler)
    if address is not None:
        together = _Together(handler, address)
        together.close_with_worker()
        # What PyFlink drops from its cache (of 1,000) is made anew, which takes longer than to write it.
        backend._internal_state_cache._max_entries = _KEYS_STATES

    def commit_all() -> None:
        commit()
        together.flush()

    backend._state_handler, backend.commit = together, commit_all


def _address_of(handler: Any) -> str | None:
    """The address of the JVM's state service that PyFlink's handler asks; None if it is not known."""
    for worker in opening_objects():
        factory = getattr(getattr(worker, "bundle_processor_cache", None), "state_handler_factory", None)
        for address, known in getattr(factory, "_state_handler_cache", {}).items():
            if known is handler:
                return str(address)
    return None


def _require_written(errors: list[str]) -> None:
    if refused := [error for error in errors if error]:
        raise RuntimeError(f"state could not be written: {refused[0]}")
