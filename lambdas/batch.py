"""The answer of a function that a KDA application calls with a batch of records."""

from collections.abc import Callable
from typing import Any


def answered(
    event: dict[str, Any], context: Any, longest: float, deliver: Callable[[str], None]
) -> dict[str, Any]:
    """Deliver each record; answer ``Ok`` or ``DeliveryFailed``. A bad record does not fail the others.

    Parameters
    ----------
    event, context
        As Lambda passes them to the handler.
    longest : float
        Milliseconds that one delivery may take. Records fail once less time is left.
    deliver : callable
        Takes a record's data in base64; raises an exception if it can't be delivered.
    """
    # With a shorter time-out, half of it.
    reserve = min(longest, context.get_remaining_time_in_millis() / 2)

    def result(record: dict[str, Any]) -> str:
        try:
            if context.get_remaining_time_in_millis() < reserve:
                raise TimeoutError("the records before it took all the time")
            deliver(record["data"])
        except Exception as error:  # an error of this record must not stop the others
            print(f"record {record['recordId']!r} not delivered: {type(error).__name__}: {error}")
            return "DeliveryFailed"
        return "Ok"

    return {"records": [{"recordId": r["recordId"], "result": result(r)} for r in event["records"]]}
