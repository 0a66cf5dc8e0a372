"""Every kind of layer brings all its parts, and one more kind needs no change of the package."""

from __future__ import annotations

import dataclasses
import importlib
import pkgutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rltools_embed import resources
from rltools_embed.errors import CheckpointError
from rltools_embed.policy import checkpoint, layers, reference
from rltools_embed.policy.arithmetic import Arithmetic
from rltools_embed.policy.cpp import ByteArrays
from rltools_embed.policy.digest import digest
from rltools_embed.policy.layers import (
    Activation,
    Dense,
    Layer,
    Mlp,
    Module,
    Rescale,
    SampleAndSquash,
    Standardize,
    Td3Sampling,
    registry,
)
from rltools_embed.policy.layers.kind import Standalone
from rltools_embed.policy.model import Policy
from tests import policies
from tests.cpp_program import COMPILERS
from tests.policy.new_kind.gain_and_offset import GainAndOffset
from tests.policy.test_library import assert_same_bits, observations_for, run_evaluator

NEW_KIND = Path(__file__).parent / "new_kind" / "include"


def examples() -> dict[str, Module]:
    """One module of every name in a manifest; each takes what the one before gives."""
    rng = np.random.default_rng(0)
    return {
        "standardize": Standardize(mean=rng.normal(size=4), precision=rng.uniform(0.5, 2.0, 4)),
        "gru": policies.random_gru(rng, 4, 7),
        "mlp": policies.random_mlp(rng, (7, 9, 6), Activation.RELU, Activation.GELU),
        "mlp_unconditional_stddev": policies.random_mlp(rng, (6, 4), log_std=True),
        "sample_and_squash": SampleAndSquash(output_dim=2, log_std_lower_bound=-20.0, log_std_upper_bound=2.0),
        "td3_sampling": Td3Sampling(output_dim=2, std=0.25),
        "rescale": Rescale(low=np.array([-1.5, -0.25]), high=np.array([2.0, 8.0])),
    }


def new_example(kind: type[GainAndOffset] = GainAndOffset) -> GainAndOffset:
    return kind(gain=np.array([0.7, -3.0, 1.1]), offset=np.array([0.3, 0.1, -2.0]), limit=4.5)


@pytest.fixture
def own_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test registers is gone after it."""
    monkeypatch.setattr(registry, "_registered", list(registry.kinds()))


# ---------------------------------------------------------------------------------------------------- completeness


def numbers_in(value: object) -> Iterator[bytes]:
    """The float32 numbers in the fields of a layer, of its arrays and of the layers in it, as bytes."""
    if isinstance(value, np.ndarray | float):
        yield np.asarray(value, "<f4").tobytes()
    elif isinstance(value, tuple):
        for entry in value:
            yield from numbers_in(entry)
    elif isinstance(value, Layer):
        for entry in dataclasses.fields(value):
            yield from numbers_in(getattr(value, entry.name))


def observations(module: Module) -> np.ndarray:
    return np.random.default_rng(1).normal(size=(200, module.input_dim)).astype(np.float32)


def digest_faults(module: Module) -> Iterator[str]:
    held = list(numbers_in(module))
    content = b"".join(module.digest_bytes())
    missing = [numbers for numbers in held if numbers not in content]
    if missing:
        yield f"{len(missing)} of {len(held)} fields with numbers are not in the digest"
    if module.number_count() != sum(map(len, held)) // 4:
        yield f"it counts {module.number_count()} numbers and holds {sum(map(len, held)) // 4}"
    if any(next(layer.digest_bytes())[0] != layer.TAG for layer in module.primitives()):
        yield "its part of the digest does not begin with its tag"


def evaluation_faults(module: Module) -> Iterator[str]:
    x = observations(module)
    for layer, output in zip(module.primitives(), reference.trace((module,), x, Arithmetic.SEPARATE), strict=True):
        if output.shape != (len(x), layer.output_dim) or output.dtype != np.float32:
            yield f"{layer.describe()} gives {output.dtype} {output.shape}"
        if str(layer.output_dim) not in layer.describe() or "\n" in layer.describe():
            yield f"{layer.describe()!r} does not tell how many numbers it gives"
    found, exact = output, reference.evaluate_float64((module,), x)
    # A function may be exact: then the last place of the values is all that float64 has more.
    allowance = np.maximum(exact.allowance, np.spacing(np.abs(found)))
    if not (np.abs(found - exact.values) <= allowance).all():
        yield f"float32 and float64 differ by {np.abs(found - exact.values).max()}"
    if not (exact.allowance < 1e-4).all():
        yield f"float64 allows for errors of {exact.allowance.max()}"


def checkpoint_faults(module: Module) -> Iterator[str]:
    policy = policies.policy_of(module)
    try:
        again = checkpoint.loads(checkpoint.dumps(policy))
    except CheckpointError as error:
        yield f"its checkpoint cannot be read: {error}"
        return
    if b"".join(again.layers[0].digest_bytes()) != b"".join(module.digest_bytes()):
        yield "it is another one after it was read"
    x = observations(module)
    if again.evaluate(x).tobytes() != policy.evaluate(x).tobytes():
        yield "it gives other bits after it was read"


def faults_of(module: Module) -> list[str]:
    return [*digest_faults(module), *evaluation_faults(module), *checkpoint_faults(module)]


@pytest.mark.parametrize("name", [name for kind in registry.kinds() for name in registry.names_of(kind)])
def test_every_kind_is_whole(name: str) -> None:
    modules = examples()
    assert name in modules, f"add an example of {name} to examples()"
    assert modules[name].kind == name
    assert faults_of(modules[name]) == []


def test_every_kind_is_registered() -> None:
    def leaves(kind: type[Layer]) -> Iterator[type[Layer]]:
        for below in kind.__subclasses__():
            yield from leaves(below)
        if dataclasses.is_dataclass(kind):
            yield kind

    in_package = {kind for kind in leaves(Layer) if kind.__module__.startswith("rltools_embed.")}
    assert in_package == set(registry.kinds())
    assert Dense in in_package and Mlp in in_package


def test_every_file_of_a_kind_is_imported() -> None:
    before = registry.kinds()
    for module in pkgutil.iter_modules(layers.__path__):
        importlib.import_module(f"{layers.__name__}.{module.name}")
    assert registry.kinds() == before


def test_python_and_cpp_have_the_same_kinds() -> None:
    headers = {resources.include_dir() / module.header for module in examples().values()}
    assert all(header.is_file() for header in headers)
    entries = (resources.include_dir() / "rl_tools" / "nn" / "layers").iterdir()
    in_cpp = {entry.name for entry in entries if entry.is_dir()}  # a file is shared by several kinds
    # A dense layer stands in an mlp only, so no checkpoint includes its header.
    assert in_cpp == {header.parent.name for header in headers if header.parent.parent.name == "layers"} | {"dense"}


@pytest.mark.parametrize("mode", Arithmetic)
def test_every_kind_has_its_digest_and_bits_in_cpp(tmp_path: Path, mode: Arithmetic) -> None:
    policy = policies.policy_of(*examples().values())
    assert_equal_in_cpp(tmp_path, policy, mode, "Generic")


def assert_equal_in_cpp(tmp_path: Path, policy: Policy, mode: Arithmetic, device: str) -> None:
    flags = ("-O0", f"-I{NEW_KIND}")
    head, actions, trace = run_evaluator(tmp_path, policy, mode, device, COMPILERS[0], flags)
    x = observations_for(policy)
    assert head == [digest(policy), "8", "0"]
    assert_same_bits(actions, reference.evaluate(policy.layers, x, mode))
    for found, expected in zip(trace, reference.trace(policy.layers, x, mode), strict=True):
        assert_same_bits(found, expected)


# ---------------------------------------------------------------------------------------------------- another kind


@pytest.mark.usefixtures("own_registry")
def test_a_new_kind_needs_one_class_and_one_header(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="unknown module kind 'gain_and_offset'"):
        checkpoint.loads(checkpoint.dumps(policies.policy_of(new_example())))
    registry.register(GainAndOffset)
    assert faults_of(new_example()) == []
    rng = np.random.default_rng(3)
    policy = policies.policy_of(new_example(), policies.random_mlp(rng, (3, 5, 3)), new_example())
    assert policy.primitives[0].describe() == "gain and offset 3"
    assert policy.parameter_count == 7 + (3 * 5 + 5 + 5 * 3 + 3) + 7
    for mode, device in ((Arithmetic.SEPARATE, "Generic"), (Arithmetic.FUSED, "CortexM4F")):
        assert_equal_in_cpp(tmp_path, policy, mode, device)


def test_a_layer_without_its_digest_does_not_compile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = "rl_tools/nn/layers/gain_and_offset/operations_generic.h"
    (tmp_path / path).parent.mkdir(parents=True)
    (tmp_path / path).write_text((NEW_KIND / path).read_text().replace("add_to_digest", "something_else"))
    policy = policies.policy_of(new_example())
    flags = ("-fsyntax-only", f"-I{tmp_path}")
    with pytest.raises(pytest.fail.Exception, match="a layer brings add_to_digest"):
        run_evaluator(tmp_path, policy, Arithmetic.SEPARATE, "Generic", COMPILERS[0], flags)


# ---------------------------------------------------------------------------------------------------- seeded faults


def kind_without(part: str) -> type[Layer]:
    """The new kind with one part taken out."""
    of_the_machinery = ("__dict__", "__weakref__", "__abstractmethods__", "_abc_impl")
    members = {name: value for name, value in vars(GainAndOffset).items() if name not in (part, *of_the_machinery)}
    return type(Standalone)("Broken", (Standalone,), members)


PARTS = (
    "TAG",
    "KINDS",
    "input_dim",
    "output_dim",
    "sizes",
    "numbers",
    "evaluate",
    "evaluate_float64",
    "describe",
    "settings",
    "read",
)


@pytest.mark.usefixtures("own_registry")
@pytest.mark.parametrize("part", PARTS)
def test_a_kind_without_a_part_is_refused(part: str) -> None:
    with pytest.raises(TypeError, match=f"the layer kind Broken lacks {part}"):
        registry.register(kind_without(part))
    assert len(kind_without("nothing").__abstractmethods__) == 0


@pytest.mark.usefixtures("own_registry")
@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"TAG": 0x02}, "Broken and Dense have the digest tag 0x02 both"),
        ({"TAG": 0x100}, "the digest tag of Broken is 256"),
        ({"KINDS": ("gru",)}, "Broken and Gru are both called gru"),
    ],
)
def test_two_kinds_with_one_tag_or_name_are_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        registry.register(type("Broken", (GainAndOffset,), changes))


def unclamped(layer: GainAndOffset, x: np.ndarray, variance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return layer.offset + layer.gain.astype(np.float64) * x, variance + 1e-12


def generous(layer: GainAndOffset, x: np.ndarray, variance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    values, variance = GainAndOffset.evaluate_float64(layer, x, variance)
    return values, variance + 1.0


def swapped(kind: type[GainAndOffset], settings: dict[str, Any], arrays: ByteArrays) -> GainAndOffset:
    return kind(gain=arrays.numbers("offset"), offset=arrays.numbers("gain"), limit=settings["limit"])


BROKEN: dict[str, tuple[str, Callable[..., Any], str]] = {
    "numbers forgotten": ("numbers", lambda layer: {"gain": layer.gain}, "2 of 3 fields with numbers are not in"),
    "a silent default count": ("number_count", lambda layer: 1, "it counts 1 numbers and holds 7"),
    "another tag": ("digest_bytes", lambda layer: iter([b"\x01"]), "does not begin with its tag"),
    "float64 that does not clamp": ("evaluate_float64", unclamped, "float32 and float64 differ by"),
    "float64 that allows for anything": ("evaluate_float64", generous, "float64 allows for errors of 1.0"),
    "words without a size": ("describe", lambda layer: "gain", "does not tell how many numbers"),
    "a reader that swaps": ("read", classmethod(swapped), "its checkpoint cannot be read: a number was changed"),
    "too wide": ("evaluate", lambda layer, x, mode: np.repeat(x, 2, axis=1)[:, :4], "gives float32 (200, 4)"),
}


@pytest.mark.usefixtures("own_registry")
@pytest.mark.parametrize(("part", "replacement", "words"), BROKEN.values(), ids=BROKEN)
def test_a_part_that_is_wrong_is_found(part: str, replacement: Callable[..., Any], words: str) -> None:
    broken = registry.register(type("Broken", (GainAndOffset,), {part: replacement}))
    found: list[str] = []
    for check in (digest_faults, evaluation_faults, checkpoint_faults):
        try:
            found += check(new_example(broken))
        except ValueError as error:  # shapes that do not fit each other
            found.append(str(error))
    assert any(words in fault for fault in found), found


def test_another_order_in_cpp_is_another_digest(tmp_path: Path) -> None:
    path = "rl_tools/nn/layers/gain_and_offset/operations_generic.h"
    (tmp_path / path).parent.mkdir(parents=True)
    text = (NEW_KIND / path).read_text()
    swapped_text = text.replace("array(layer.gain)", "array(layer.x)").replace(
        "array(layer.offset)", "array(layer.gain)"
    )
    (tmp_path / path).write_text(swapped_text.replace("array(layer.x)", "array(layer.offset)"))
    policy = policies.policy_of(new_example())
    head, *_ = run_evaluator(tmp_path, policy, Arithmetic.SEPARATE, "Generic", COMPILERS[0], ("-O0", f"-I{tmp_path}"))
    assert head[0] != digest(policy)
    assert head[1:] == ["8", "0"]
