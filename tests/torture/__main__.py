"""`make torture`: runs each lab's job under load while its processes are killed; prints the account.

Example: python -m tests.torture --lab trades --kills 20 --seed 3 --minutes 30
"""

from __future__ import annotations

import argparse
import itertools
import random
import secrets
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.torture.chaos import KINDS, OF_SHARDS, run
from tests.torture.labs import LABS
from tests.torture.soak import SOAKS, soak

BACKENDS = ("hashmap", "rocksdb")


def main() -> int:
    """Run the given labs; return 1 if one of them was not exact."""
    parser = argparse.ArgumentParser(prog="python -m tests.torture", description=__doc__)
    parser.add_argument("--lab", choices=(*LABS, "all"), default="all")
    parser.add_argument("--kills", type=int, default=20, help="of each lab")
    parser.add_argument("--kind", choices=(*KINDS, *OF_SHARDS), help="do nothing else")
    parser.add_argument("--minutes", type=float, default=60.0, help="kill no more after so long; of each lab")
    parser.add_argument("--rate", type=float, default=100.0, help="records a second")
    parser.add_argument(
        "--soak", action="store_true", help="kill nothing: memory must be flat for so many minutes"
    )
    parser.add_argument(
        "--backend", choices=BACKENDS, help="where state is kept; unless given, by seed and lab"
    )
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6))
    given = parser.parse_args()
    exact = True
    for number, lab in enumerate(LABS):
        if given.lab not in (lab, "all"):
            continue
        backend = given.backend or BACKENDS[(given.seed + number) % len(BACKENDS)]
        print(f"{lab}: seed {given.seed}, state on {backend}", flush=True)
        if given.soak:
            if lab in SOAKS:
                with tempfile.TemporaryDirectory(prefix="kda-soak-", ignore_cleanup_errors=True) as folder:
                    found = soak(SOAKS[lab], Path(folder), given.seed, given.minutes, given.rate, backend)
                print("\n".join(found.lines()), flush=True)
                exact &= found.good()
            continue
        end = time.monotonic() + 60 * given.minutes

        every = (*KINDS, *OF_SHARDS) if LABS[lab].shards > 1 else KINDS

        def kinds(rng: random.Random, end: float = end, every: tuple[str, ...] = every) -> Iterator[str]:
            # Each kind as often as the others, in random order.
            rounds = (
                (given.kind,) if given.kind else rng.sample(every, len(every)) for _ in itertools.count()
            )
            for kind in itertools.islice(itertools.chain.from_iterable(rounds), given.kills):
                if time.monotonic() > end:
                    return
                print(f"  kill: {kind}", flush=True)
                yield kind

        with tempfile.TemporaryDirectory(prefix="kda-torture-", ignore_cleanup_errors=True) as folder:
            account = run(LABS[lab], Path(folder), given.seed, kinds, given.rate, backend)
        print("\n".join(account.lines()), flush=True)
        exact &= account.exact()
    return 0 if exact else 1


if __name__ == "__main__":
    sys.exit(main())
