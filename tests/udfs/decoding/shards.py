"""A stream's shards, for its clock."""

from concurrent.futures import Future
from typing import Self

from udfs.decoding.shard_clock import Listing


class Shards:
    """The stream's shards; a list comes at once, or when it is let through."""

    def __init__(self, **shards: bool) -> None:
        self.shards, self.asked = shards, list[Listing]()
        self.prompt, self.closed = True, False

    def ask(self) -> Listing:
        listing: Listing = Future()
        self.asked.append(listing)
        if self.prompt:
            self.answer()
        return listing

    def answer(self) -> None:
        """Answer the last question with the shards that there are now."""
        self.asked[-1].set_result(dict(self.shards))

    def start(self) -> Self:
        """Of a `ShardList`: it is its own lister."""
        return self

    def close(self) -> None:
        self.closed = True
