"""Clocks moved by hand, a stream's shards, and a clock of both."""

from concurrent.futures import Future

from udfs.decoding.shard_clock import Listing, ShardClock

IDLE = 15.0


class Clocks:
    """Both clocks, moved by hand; the wall's is far from zero."""

    def __init__(self) -> None:
        self.now = 1_700_000_000.0
        self.skew = 0.0

    def monotonic(self) -> float:
        return self.now

    def wall(self) -> float:
        return self.now + self.skew

    @property
    def ms(self) -> int:
        """What AWS's clock says."""
        return int(self.now * 1000)


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

    def close(self) -> None:
        self.closed = True


def started(*shards: str, shared: bool = False) -> tuple[Clocks, ShardClock]:
    clocks, stream = Clocks(), Shards(**dict.fromkeys(shards, True))
    return clocks, clock_of(stream, clocks, shared=shared)


def clock_of(stream: Shards, clocks: Clocks, own: str = "abcdefgh", shared: bool = False) -> ShardClock:
    return ShardClock(IDLE, stream, own.__contains__, shared, clocks.monotonic, clocks.wall)


def wait(clocks: Clocks, clock: ShardClock, seconds: float) -> None:
    for _ in range(round(seconds)):
        clocks.now += 1
        clock.heartbeat()


def live(clocks: Clocks, clock: ShardClock, seconds: int, *shards: str) -> list[int]:
    """A record a second from each shard, as it arrives; by how much each counts later than it arrived."""
    moved = []
    for _ in range(seconds):
        clocks.now += 1
        moved += [clock.hear(shard, clocks.ms) - clocks.ms for shard in shards]
    return moved
