"""A forest as bytes: exact, small, and safe to read whatever the bytes are."""

import base64
import pickle
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.udfs.forest.reference import check
from udfs.forest.state import Parameters, pack_young, unpack_young
from udfs.random_cut_forest import RandomCutForest, StateError

RNG = np.random.default_rng(0)


def trained(n: int, dimensions: int = 2, shingle: int = 1, values: int = 0) -> RandomCutForest:
    """A forest that has learned n records: of few distinct values, or of many."""
    points = RNG.integers(values, size=(n, dimensions)) if values else RNG.normal(size=(n, dimensions))
    forest = RandomCutForest(dimensions, 4, 12, time_decay=60, shingle_size=shingle, seed=3)
    forest.score_many(points)
    return forest


def with_checksum(data: bytes) -> bytes:
    return data[:6] + struct.pack("<I", zlib.crc32(data[10:])) + data[10:]


@pytest.mark.parametrize("n", [0, 1, 5, 12, 13, 300])
@pytest.mark.parametrize("shingle", [1, 4])
@pytest.mark.parametrize("values", [0, 1, 3])
def test_a_restored_forest_goes_on_bit_for_bit(n: int, shingle: int, values: int) -> None:
    forest = trained(n, shingle=shingle, values=values)
    restored = pickle.loads(pickle.dumps(forest))
    check(restored)
    later = RNG.normal(size=(300, 2)).round(1 if values else 7)
    scores = forest.score_many(later)
    assert restored.score_many(later[:100]).tolist() == scores[:100].tolist()
    again = RandomCutForest.from_bytes(restored.to_bytes())
    assert again.score_many(later[100:]).tolist() == scores[100:].tolist()
    assert again.attribution([1, 2]).high.tolist() == forest.attribution([1, 2]).high.tolist()


def test_saving_changes_nothing() -> None:
    forest, untouched = (RandomCutForest(1, 4, 12, time_decay=60, seed=3) for _ in range(2))
    points = RNG.normal(size=(400, 1))
    scores = []
    for part in np.split(points, 40):
        scores += forest.score_many(part).tolist()
        forest.to_bytes()
    assert scores == untouched.score_many(points).tolist()


def test_bytes_of_earlier_versions_of_the_code_are_still_read() -> None:
    """Written down in version 1: Flink's savepoints hold such bytes. The trees are the same, the scores today's."""
    forest = RandomCutForest.from_bytes(base64.b85decode("".join(WRITTEN)))
    check(forest)
    later = (np.arange(80, 120) * 37 % 23 / 4.0).reshape(20, 2)
    assert forest.score_many(later)[[0, 7, 19]].tolist() == pytest.approx(
        [0.8845669993392598, 1.0327185588670091, 0.7345152120916811], rel=1e-12
    )


WRITTEN = [
    "OHxBd0RWxw%GLq^0ssmC9smFU0ssa800000001Wd00000000315C8xGA^-pY001yR0000#003}6006*0005vs001yR005vs001yR",
    "0000#004kM007`W005{!002Nh002Ng006*0005vs001yR0000#005{!002Nh002Ng004+U002Ng004+U0000$006K+0000$006K+",
    "002-x004kL00000003Y>005vr005Xk003}6006*0005vs001yR005vs001yR0000#004kM007`W005{!002Nh002Ng002Nh002Ng",
    "004+U0000$004kL0059c000m`00000005Xk001CB004kK003}6004kK003}6006*0005vs006*0005vs001yR0000#0|5dF0|5a8",
    "0|5d70|Nm80R#X80006300RI31ONa5009C30RaF21OWg500IL5000aC2LKKL3jhfK0RR910{{;I3IGQH3jhTG3;+)R0ssa84FCuL",
    "1ON",
]


def test_large_gaps_between_points_survive() -> None:
    forest = RandomCutForest(1, 1, 10, time_decay=10**6, seed=1)
    forest.score_many(RNG.normal(size=(20_000, 1)))
    check(RandomCutForest.from_bytes(forest.to_bytes()))


def test_the_default_forest_on_two_columns_packs_small() -> None:
    forest = RandomCutForest(2)
    forest.score_many(RNG.normal(size=(20_000, 2)))
    assert len(forest.to_bytes()) <= 250_000


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda data: b"", "must have at least"),
        (lambda data: b"JUNK" + data[4:], "must begin with"),
        (lambda data: data[:4] + b"\x03\x00" + data[6:], "must be of version 1 to 2, got 3"),
        (lambda data: data[:-1], "checksum"),
        (lambda data: data + b"\0", "checksum"),
        (lambda data: with_checksum(data[:-1]), "ends too early"),
        (lambda data: with_checksum(data + b"\0"), "has bytes after its end"),
        (lambda data: with_checksum(data[:10] + b"\0\0" + data[12:]), "dimensions must be between"),
    ],
)
def test_damage_is_named(damage: object, message: str) -> None:
    with pytest.raises(StateError, match=message):
        RandomCutForest.from_bytes(damage(trained(40).to_bytes()))  # type: ignore[operator]


def test_every_flipped_byte_is_noticed() -> None:
    data = trained(40).to_bytes()
    for position in range(len(data)):
        flipped = data[:position] + bytes([data[position] ^ 0x41]) + data[position + 1 :]
        with pytest.raises(StateError):
            RandomCutForest.from_bytes(flipped)


SAMPLES = [trained(40).to_bytes(), trained(40, values=3).to_bytes(), trained(40, shingle=3).to_bytes()]


@settings(max_examples=400, deadline=None)
@given(
    st.sampled_from(SAMPLES),
    st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=4),
    st.integers(0, 40),
)
def test_wrong_content_with_the_right_checksum_is_refused_or_harmless(
    data: bytes, changes: list[tuple[int, int]], cut: int
) -> None:
    """Neither reading nor going on may leave the arrays; what is accepted must be a forest in every way."""
    body = bytearray(data[10 : len(data) - (cut if cut > 36 else 0)])
    for position, value in changes:
        # Not the sizes in the header: 16 bits of them are a valid forest too large for a test.
        body[24 + position % (len(body) - 24)] = value
    try:
        forest = RandomCutForest.from_bytes(with_checksum(data[:10] + bytes(body)))
    except StateError:
        return
    later = RNG.normal(size=(200, 2))
    assert np.isfinite(forest.score_many(later)).all()
    forest.attribution(later[0])
    RandomCutForest.from_bytes(forest.to_bytes())


def test_a_forest_that_has_no_trees_yet_is_its_records() -> None:
    parameters = Parameters(2, 7, 10, 50, 1, 5)
    records = np.random.default_rng(3).normal(0, 1, (9, 2)).astype(np.float32)
    packed = pack_young(parameters, records.tobytes())
    assert unpack_young(packed) == (parameters, records.tobytes())
    expected = RandomCutForest(2, 7, 10, 50, seed=5)
    expected.update_many(records)
    assert unpack_young(expected.to_bytes()) is None
    forest = RandomCutForest.from_bytes(packed)
    assert (forest.parameters, forest.to_bytes()) == (parameters, expected.to_bytes())
    for damaged in (packed[:-1], packed[:12], packed[:20] + b"!" + packed[21:]):
        with pytest.raises(StateError, match="damaged"):
            RandomCutForest.from_bytes(damaged)
