"""The slots of an arena."""

from __future__ import annotations


class Slots:
    """Numbers from 0 to ``room - 1``, each given out once until it is free again; the one freed last comes first.

    A list of all of them would take more memory than small forests themselves: there may be millions.
    """

    def __init__(self, room: int) -> None:
        self._room = room
        self._begun = 0
        self._freed: list[int] = []

    @property
    def are_taken(self) -> bool:
        """Whether none is free."""
        return self._begun == self._room and not self._freed

    def take(self) -> int:
        """A free slot. Raises `IndexError` if there is none."""
        if self._freed:
            return self._freed.pop()
        if self._begun == self._room:
            raise IndexError(f"all {self._room} slots are taken")
        self._begun += 1
        return self._begun - 1

    def free(self, slot: int) -> None:
        """Give a slot back."""
        self._freed.append(slot)
