"""Training's products by a BLAS: the same updates, the same bits again; our own kernels where it is broken."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from training_envs import SILENT, Line
from update_reference import RATE, TOLERANCE, numbers

from rltools_embed import load_checkpoint, process
from rltools_embed.compiling import backend, compiler
from rltools_embed.compiling.cache import Cache
from rltools_embed.errors import ToolchainError
from rltools_embed.policy.digest import digest
from rltools_embed.training import PPO, SAC, TD3, Training

# The smallest sizes whose products go to a BLAS (rl_tools/rl/nn/gemm_blas.h).
WIDE = {"ACTOR_HIDDEN_DIM": 32, "CRITIC_HIDDEN_DIM": 32, "OPTIMIZER_ALPHA": RATE, **SILENT}
OFF_POLICY = {**WIDE, "ACTOR_BATCH_SIZE": 32, "CRITIC_BATCH_SIZE": 32, "STEP_LIMIT": 60}
ON_POLICY = {
    **WIDE,
    "N_ENVIRONMENTS": 2,
    "ON_POLICY_RUNNER_STEPS_PER_ENV": 16,
    "BATCH_SIZE": 32,
    "N_EPOCHS": 1,
    "TOTAL_STEP_LIMIT": 64,
}
LEARNERS = {SAC: ("actor", "critic_1", "critic_2"), TD3: ("actor", "critic_1", "critic_2"), PPO: ("actor", "critic")}
KINDS = tuple(LEARNERS)
BLAS = ("openblas", "mkl", "accelerate")
OWN_INSTEAD = "; training uses our own kernels"


def training_of(kind: type[Training], name: str, **changes: Any) -> Training:
    options = ON_POLICY if kind is PPO else OFF_POLICY
    return kind(lambda: Line(truncate_after=7), **{**options, "backend": name, **changes})


def with_blas(kind: type[Training], name: str) -> Training:
    """Skips where the BLAS is not here, but for what CI installs."""
    lines: list[str] = []
    training = training_of(kind, name, on_message=lines.append)
    if training.backend.name != name:
        ours = {"Linux": ("openblas", "mkl") if platform.machine() == "x86_64" else ("openblas",)}
        assert not (os.environ.get("CI") and name in ours.get(platform.system(), ())), lines
        pytest.skip(lines[0])
    assert lines[0] == training.backend.found
    return training


def first_updates(training: Training) -> tuple[dict[str, Any], dict[str, Any]]:
    """The numbers before and after the first updates of each network."""
    trainer = training.compiled.make_trainer(4)
    names = LEARNERS[type(training)]
    before = {name: numbers(trainer, name) for name in names}
    rng, count = np.random.default_rng(1), training.algorithm.environments
    no = np.zeros(count, bool)
    for _ in range(40):
        trainer.explore(rng.uniform(-1, 1, (count, 2)).astype(np.float32), np.empty((count, 1), np.float32))
        following = rng.uniform(-1, 1, (count, 2)).astype(np.float32)
        assert trainer.observe(rng.uniform(-1, 1, count).astype(np.float32), following, no, no)
        after = {name: numbers(trainer, name) for name in names}
        if not any(np.array_equal(after[name], before[name]) for name in names):
            return before, after
    raise AssertionError("there was no update")


@pytest.mark.parametrize("name", BLAS)
@pytest.mark.parametrize("kind", KINDS)
def test_an_update_with_a_blas_equals_one_with_our_own_kernels(kind: type[Training], name: str) -> None:
    before, own = first_updates(training_of(kind, "own"))
    _, found = first_updates(with_blas(kind, name))
    for learner, expected in own.items():
        # update_reference.TOLERANCE: another order of float32 sums, through Adam at its steepest.
        np.testing.assert_allclose(found[learner], expected, atol=TOLERANCE, err_msg=learner)
        assert np.abs(expected - before[learner]).max() > 20 * TOLERANCE
    # Sums of another order: it was not our own kernel.
    assert any(not np.array_equal(found[learner], own[learner]) for learner in own)


@pytest.mark.parametrize("name", BLAS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_run_with_a_blas_repeats_its_bits_and_exports_the_bits_of_action(kind: type[Training], name: str) -> None:
    training = with_blas(kind, name)
    ends = []
    for _ in range(2):
        with training.State(3) as state:
            while not state.step():
                pass
            ends.append(state.policy())
            text = state.export_policy()
            observations = np.random.default_rng(2).uniform(-2, 2, (50, 2)).astype(np.float32)
            actions = np.array([state.action(observation) for observation in observations])
    assert digest(ends[0]) == digest(ends[1])
    np.testing.assert_array_equal(load_checkpoint(text)(observations).view(np.uint32), actions.view(np.uint32))
    assert dict(ends[0].provenance.versions)["blas"].startswith(training.backend.title)


TRAINED = """
import sys
from test_training_backends import training_of
from rltools_embed.policy.digest import digest
from rltools_embed.training import SAC
for name in sys.argv[1:]:
    with training_of(SAC, name, on_message=print).State(3) as state:
        while not state.step():
            pass
print(digest(state.policy()))
"""


def test_a_blas_computes_what_it_is_asked_to_after_another_one_has_been_loaded() -> None:
    """MKL's symbols are the whole process's: without care they would be OpenBLAS's as well."""
    with_blas(SAC, "mkl"), with_blas(SAC, "openblas")  # both are here

    def trained_with(*names: str) -> str:
        environment = {"PYTHONPATH": str(Path(__file__).parent)}
        done = process.run([sys.executable, "-c", TRAINED, *names], environment=environment, timeout_s=120)
        assert done.exit_code == 0, done.output
        return done.output.splitlines()[-1]

    alone = trained_with("openblas")
    assert trained_with("mkl") != alone
    assert trained_with("mkl", "openblas") == alone


def test_a_saved_run_goes_on_with_its_blas(tmp_path: Path) -> None:
    training, lines = with_blas(SAC, "openblas"), []
    path = tmp_path / "run.state"
    with training.State(0) as state:
        for _ in range(40):
            state.step()
        state.save(path)
    with SAC.load(path, lambda: Line(truncate_after=7), on_message=lines.append) as resumed:
        assert resumed.step_count == 40
    assert lines == [training.backend.found, "Using cached RLtools interface."]
    with SAC.load(path, lambda: Line(truncate_after=7), backend="own", on_message=lines.append):
        pass
    assert lines[-1].endswith("another compiler, CPU or BLAS: it goes on with other bits")


# ------------------------------------------------------------------------------------------------ broken libraries

SGEMM = """
void cblas_sgemm(int order, int transpose_a, int transpose_b, int m, int n, int k, float alpha, const float* a, int lda,
                 const float* b, int ldb, float beta, float* c, int ldc) {
    %s
    for (int row = 0; row < m; row++)
        for (int col = 0; col < n; col++) {
            double sum = 0;
            for (int i = 0; i < k; i++)
                sum += (double)a[transpose_a == 112 ? i * lda + row : row * lda + i] * b[i * ldb + col];
            c[row * ldc + col] = (float)sum;
        }
    %s
}
"""
OPENBLAS = (
    'char* openblas_get_config(void) { return "OpenBLAS 9.8.7 FAKE"; }\nvoid openblas_set_num_threads(int n) {}\n'
)
MKL = "int MKL_Set_Threading_Layer(int layer) { return layer; }\nint MKL_CBWR_Set(int branch) { return 0; }\n"
# More than a running program has left for a library that wants it at once; a program that starts with it has it.
GREEDY = 'static __thread volatile char greedy[200000] __attribute__((tls_model("initial-exec")));\n'


def library(path: Path, source: str, *extra: str | Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    (code := path.with_suffix(".c")).write_text(source)
    built = process.run(["gcc", "-O1", "-shared", "-fPIC", code, "-o", path, *extra], timeout_s=60)
    assert built.exit_code == 0, built.output
    return path


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for a library of the test's own, which is the one that is found."""
    if platform.system() != "Linux" or not shutil.which("gcc"):
        pytest.skip("makes libraries as Linux has them, with gcc")
    monkeypatch.setenv("OpenBLAS_ROOT", str(tmp_path / "my, own libraries"))
    return tmp_path / "my, own libraries" / "lib"


def trained(**changes: Any) -> tuple[Training, list[str]]:
    lines: list[str] = []
    return training_of(SAC, "openblas", on_message=lines.append, **changes), lines


def test_a_library_in_a_folder_with_spaces_is_found_and_used(root: Path) -> None:
    fake = library(root / "libopenblas.so", SGEMM % ("", "") + OPENBLAS)
    training, lines = trained()
    assert lines[0] == "OpenBLAS found. Version: 9.8.7"
    assert (training.backend.path, training.backend.version) == (str(fake), "9.8.7")
    _, own = first_updates(training_of(SAC, "own"))
    _, found = first_updates(training)
    assert all(np.allclose(found[name], own[name], atol=TOLERANCE) for name in own)
    # Broken since: the interface in the cache is not used.
    library(fake, SGEMM % ("", "c[m / 2] += 0.01F;") + OPENBLAS)
    assert trained()[0].backend == backend.OWN


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (SGEMM % ("", "c[m / 2] += 0.01F;") + OPENBLAS, "OpenBLAS ({path}) computes wrong products: "),
        (SGEMM % ("transpose_a = 111;", "") + OPENBLAS, "OpenBLAS ({path}) computes wrong products: "),
        (SGEMM % ("", "c[0] = 0.0F / 0.0F;") + OPENBLAS, "OpenBLAS ({path}) computes wrong products: "),
        (SGEMM % ("*(volatile int*)0 = 1;", "") + OPENBLAS, "OpenBLAS does not run (exit code -"),
        ("int other;", "OpenBLAS cannot be linked: "),
        ("", "OpenBLAS cannot be linked: "),
        (
            SGEMM % ("", "") + OPENBLAS + "/* needs what is gone */",
            "OpenBLAS does not run (exit code 127, ",
        ),
    ],
    ids=["wrong", "never transposed", "nan", "crashes", "without sgemm", "no library", "cannot be loaded"],
)
def test_a_broken_library_is_reported_and_our_own_kernels_train(root: Path, source: str, words: str) -> None:
    path = root / "libopenblas.so"
    if "gone" in source:
        library(root / "libgone.so", "")
        library(path, source, "-Wl,--no-as-needed", f"-L{root}", "-lgone")
        (root / "libgone.so").unlink()
    elif source:
        library(path, source)
    else:
        root.mkdir(parents=True)
        path.write_text("this is not a library")
    training, lines = trained()
    assert training.backend == backend.OWN
    assert lines[0].startswith(words.format(path=path)), lines
    assert "libopenblas-dev" in lines[0]
    assert lines[0].endswith(OWN_INSTEAD)
    assert "\n" not in lines[0]


def test_a_library_that_python_cannot_load_is_reported_and_our_own_kernels_train(root: Path) -> None:
    path = root / "libopenblas.so"
    # Known by its path: of two libraries of one name a process loads only the first.
    library(path, GREEDY + SGEMM % ("greedy[m] = 1;", "") + OPENBLAS, "-Xlinker", f"-soname={path}")
    training, lines = trained()
    assert training.backend == backend.OWN
    # Compiled although one of the same flags may be in the cache: the library's path is in the key.
    assert lines[:2] == ["OpenBLAS found. Version: 9.8.7", "Compiling the RLtools interface..."]
    assert "static TLS" in lines[-1]
    assert lines[-1].startswith("The interface cannot be made with OpenBLAS: ")
    assert lines[-1].endswith(OWN_INSTEAD)
    first_updates(training)


# ------------------------------------------------------------------------------------------------ choice and discovery


def test_the_argument_goes_before_the_variable_and_own_kernels_are_the_default() -> None:
    assert backend.chosen(None, {}) == "own"
    assert backend.chosen(None, {"RLT_BACKEND": "mkl"}) == "mkl"
    assert backend.chosen("openblas", {"RLT_BACKEND": "mkl"}) == "openblas"


def test_an_unknown_backend_is_refused_before_a_compiler_starts(
    monkeypatch: pytest.MonkeyPatch, no_compiler: None
) -> None:
    with pytest.raises(ValueError, match="backend is 'atlas': it must be one of own, mkl, openblas, accelerate, blas"):
        SAC(Line, **OFF_POLICY, backend="atlas")
    monkeypatch.setenv("RLT_BACKEND", "MKL2")
    with pytest.raises(ValueError, match="RLT_BACKEND is 'MKL2'"):
        SAC(Line, **OFF_POLICY)


def test_the_variable_chooses_and_a_backend_of_another_system_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    if platform.system() == "Darwin":
        pytest.skip("it is this system's")
    monkeypatch.setenv("RLT_BACKEND", "accelerate")
    lines: list[str] = []
    assert SAC(Line, **{**OFF_POLICY, "on_message": lines.append}).backend == backend.OWN
    assert lines[0] == "Accelerate is a part of macOS only: use mkl or openblas" + OWN_INSTEAD


def test_accelerate_is_linked_as_a_framework_and_the_first_blas_of_macos() -> None:
    found = backend.locate("accelerate", "Darwin")
    assert found.libraries == ("-framework", "Accelerate")
    assert found.compile_flags == ("-DRL_TOOLS_BLAS_ACCELERATE",)
    assert backend.candidates("blas", "Darwin") == ("accelerate", "openblas")
    assert backend.candidates("blas", "Linux") == ("mkl", "openblas")


def distribution(site: Path, *files: str) -> None:
    """MKL as pip would have installed it into `site`."""
    info = site / "mkl-2099.1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: mkl\nVersion: 2099.1\n")
    (info / "RECORD").write_text("".join(f"{file},,\n" for file in files))


def test_without_mkl_the_message_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    with pytest.raises(ToolchainError, match="MKL is not installed") as caught:
        backend.locate("mkl", "Linux")
    assert "pip install 'rltools_embed[mkl]'" in caught.value.hint
    distribution(tmp_path / "python3" / "site-packages", "../../libmkl_rt.so.3")
    monkeypatch.setattr(sys, "path", [str(tmp_path / "python3" / "site-packages")])
    with pytest.raises(ToolchainError, match=r"MKL 2099\.1 is installed without its libmkl_rt"):
        backend.locate("mkl", "Linux")


def test_mkl_is_found_by_its_distribution_and_checked(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = root.parent / "python3" / "site-packages"
    distribution(site, "../../libmkl_rt.so.3", "mkl-2099.1.dist-info/METADATA")
    monkeypatch.syspath_prepend(str(site))
    path = library(root.parent / "libmkl_rt.so.3", SGEMM % ("", "") + MKL)
    lines: list[str] = []
    build = compiler._Build(compiler=compiler.find(), cache=Cache.open(), verbose=False, say=lines.append)
    found = build.find_backend("mkl")
    assert (found.found, found.path) == ("MKL found. Version: 2099.1", str(path))
    library(path, SGEMM % ("k--;", "") + MKL)
    assert build.find_backend("mkl") == backend.OWN
    assert lines[0].startswith(f"MKL ({path}) computes wrong products: pip install ")
    # The next one is tried.
    library(root / "libopenblas.so", SGEMM % ("", "") + OPENBLAS)
    assert build.find_backend("blas").name == "openblas"
    assert lines[1].endswith("; trying openblas")
