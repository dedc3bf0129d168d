"""The forest's machine code on other processors than this one: the same bits, and no loop unrolled at run time."""

import json
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

import llvmlite.binding
import pytest

ROOT = Path(__file__).resolve().parents[3]

#: Processors, each with what a machine must have to run code made for it: the least, and one with all that could make
#: other bits. LLVM models both with a loop buffer, and where there is one it unrolls loops whose counts are known only
#: at run time, unless forbidden.
X86 = {"x86-64": "sse2", "sapphirerapids": "avx512f"}
#: Graviton, as far as it can be seen from elsewhere.
ARM = ("generic", "neoverse-v1")

# Nothing from the cache, which keeps no IR. Arguments: whether the code runs here, then processors of Arm.
CODE = """
import json, re, sys
import udfs.compiled
udfs.compiled.CACHED = False
import llvmlite.binding as llvm, numba, numpy as np
from udfs.forest.call import learn_records
from udfs.random_cut_forest import RandomCutForest
RandomCutForest(2, 3, 10).score_many(np.zeros((1, 2)))
text = learn_records.inspect_llvm(learn_records.signatures[0])

def unrolled(ir):
    return len(re.findall(r"^[\\w.]*\\.(?:unr|epil|prol)[\\w.-]*:", ir, re.M))

scores = []
if sys.argv[1] == "run":
    rng = np.random.default_rng(1)
    for columns, samples, shingle in ((1, 12, 1), (2, 64, 1), (3, 32, 1), (1, 40, 8)):
        for points in (rng.normal(size=(400, columns)), rng.integers(0, 9, (400, columns))):
            forest = RandomCutForest(columns, 20, samples, 100, shingle, seed=3)
            scores += forest.score_many(points[:390]).tolist()
            scores += [forest.score_many(point[None])[0] for point in points[390:]]
            attribution = forest.attribution(points[7])
            scores += attribution.high.tolist() + attribution.low.tolist()

found = []
llvm.initialize_all_targets()
llvm.initialize_all_asmprinters()
text_of_arm = re.sub(r'target triple = ".*"', 'target triple = "aarch64-unknown-linux-gnu"', text)
text_of_arm = re.sub(r'"target-(cpu|features)"="[^"]*"', "", text_of_arm)
for processor in sys.argv[2:]:
    machine = llvm.Target.from_triple("aarch64-unknown-linux-gnu").create_target_machine(cpu=processor, opt=3)
    layout = f'target datalayout = "{machine.target_data}"'
    module = llvm.parse_assembly(re.sub(r'target datalayout = ".*"', layout, text_of_arm))
    tuning = llvm.create_pipeline_tuning_options(speed_level=3)
    tuning.loop_vectorization = False
    builder = llvm.create_pass_builder(machine, tuning)
    builder.getModulePassManager().run(module, builder)
    assembly = machine.emit_assembly(module)
    fused = re.findall(r"\\b(?:fn?madd|fn?msub|fmla|fmls)\\b", assembly)
    found.append([unrolled(str(module)), len(fused), assembly.count("\\n")])
print(json.dumps([numba.config.CPU_NAME, unrolled(text), [score.hex() for score in scores], found]))
"""


def run(code: str, *arguments: str, **environment: str) -> Any:
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)} | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def check_arm(found: list[tuple[int, int, int]]) -> None:
    """A multiplication fused with an addition would round otherwise."""
    for unrolled, fused, lines in found:
        assert (unrolled, fused) == (0, 0)
        assert lines > 1000


@pytest.mark.skipif(platform.machine() == "x86_64", reason="the next test compiles for Arm, too")
def test_it_compiles_for_arm_without_unrolling_and_without_fused_arithmetic() -> None:
    *_, of_arm = run(CODE, "compile", *ARM)
    assert len(of_arm) == len(ARM)
    check_arm(of_arm)


@pytest.mark.skipif(platform.machine() != "x86_64", reason="compiles for x86 processors")
def test_each_target_gives_the_same_bits_and_has_no_loop_that_is_unrolled_at_run_time() -> None:
    here = llvmlite.binding.get_host_cpu_features()
    scores = {}
    for target, needed in X86.items():
        verb = "run" if here.get(needed) else "compile"
        arm = ARM if target == "x86-64" else ()
        found, unrolled, bits, of_arm = run(CODE, verb, *arm, NUMBA_CPU_NAME=target, NUMBA_CPU_FEATURES="")
        assert (found, unrolled, len(of_arm)) == (target, 0, len(arm))
        check_arm(of_arm)
        if verb == "run":
            scores[target] = bits
    assert all(bits == scores["x86-64"] for bits in scores.values())
    assert len(set(scores["x86-64"])) > 1000
