"""Compiling the training interface just in time, and what its result depends on."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.machinery
import importlib.util
import itertools
import os
import platform
import re
import shlex
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NoReturn

import pybind11

from rltools_embed import process, resources
from rltools_embed.compiling import backend as backends
from rltools_embed.compiling.backend import OWN, Backend
from rltools_embed.compiling.cache import Cache, content_key
from rltools_embed.compiling.command_line import Compiler, find
from rltools_embed.errors import BuildError, RltEmbedError, ToolchainError

_MODULE_NAME = "rl_tools_interface"  # as in rl_tools/bindings/python.h
_BINDINGS = "#include <rl_tools/bindings/python.h>\n"
# What a trainer's translation unit ends with where no environment is in C++.
_PYTHON_ENVIRONMENT = """
#include <rl_tools/rl/environment.h>

std::unique_ptr<rl_tools::rl::Environments> rl_tools::rl::make_environments(size_t) { return nullptr; }
"""
_CHECK = """\
#include <rl_tools/rl/nn/blas_check.h>

int main() { return rl_tools::nn::training::blas::check() ? 0 : 1; }
"""
_WRONG_PRODUCTS = 1  # the exit code of this program
_CHECK_TIMEOUT_S = 60.0
_COMPILE_TIMEOUT_S = 600.0
_OWN_INSTEAD = "training uses our own kernels"
_LAST_LINES = 12
_LINE_LENGTH = 240  # a template's error may fill a page
# What linkers and assemblers say; their drivers' own "error" tells no more than that they failed.
_LINKERS = re.compile(
    r"undefined|referenced from|cannot find|not found|multiple definition|duplicate symbol|no space left"
    r"|\bld(\.\w+)?: ",
    re.IGNORECASE,
)
_OWN_INCLUDE = re.compile(r'^\s*#\s*include\s*"', re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Interface:
    """A compiled training interface: the Python module, who compiled it, and what computes its products."""

    module: Any
    compiler: Compiler
    backend: Backend

    def __reduce__(self) -> NoReturn:
        """Another process takes the code from the cache, or compiles it: `load` with the same arguments.

        Raises:
            TypeError: always.
        """
        raise TypeError("compiled code stays in its process: pickle what it was compiled for, and load it there")


def load(
    translation_unit: str,
    *,
    environment: str | None = None,
    backend: str = OWN.name,
    cache: Cache | None = None,
    force_recompile: bool = False,
    verbose: bool = False,
    say: Callable[[str], None] = lambda line: None,
) -> Interface:
    """The Python module for `translation_unit`, which defines `rl_tools::rl::make_trainer`.

    Args:
        environment: C++ that defines `rl_tools::rl::make_environments`; None: the environments are Python's.
        backend: one of `backend.NAMES`. If it is missing or broken, you get a message and our own kernels compute.

    Raises:
        ToolchainError: no compiler, or a cache that cannot be trusted.
        BuildError: the compiler refused.
    """
    own = _Build(compiler=find(), cache=cache or Cache.open(), verbose=verbose, say=say)

    def load_with(build: _Build) -> Interface:
        path = build.module(translation_unit, environment, force_recompile)
        with _own_libraries_first(build.backend):
            module = _import(path)
        return Interface(module=module, compiler=build.compiler, backend=build.backend)

    found = own.find_backend(backend)
    if found == OWN:
        return load_with(own)
    say(found.found)
    try:
        return load_with(replace(own, backend=found))
    except (BuildError, ToolchainError) as error:
        # If it is not the library's fault, this raises what is.
        interface = load_with(own)
        say(f"The interface cannot be made with {found.title}: {_in_one_line(error)}; {_OWN_INSTEAD}")
        return interface


def _in_one_line(error: RltEmbedError) -> str:
    return ": ".join(part for part in (error.message.splitlines()[0].rstrip(":"), error.hint) if part)


@contextlib.contextmanager
def _own_libraries_first(backend: Backend) -> Iterator[None]:
    """Within it a module of this backend is loaded that takes each symbol from its own libraries first.

    MKL gives its symbols to the whole process: OpenBLAS's `cblas_sgemm` would be MKL's in every module after it.
    """
    deep = getattr(os, "RTLD_DEEPBIND", 0)  # glibc's; macOS looks into the module's own libraries anyway
    if backend == OWN or not deep:
        yield
        return
    before = sys.getdlopenflags()
    sys.setdlopenflags(before | deep)
    try:
        yield
    finally:
        sys.setdlopenflags(before)


_loaded: dict[Path, Any] = {}


def _import(path: Path) -> Any:
    # The path holds the key of everything that went in: the same path is the same code.
    if path not in _loaded:
        # pybind11 returns a module that it knows by its full name, whatever the file: each needs a name of its own.
        name = f"{path.name.split('.')[0]}.{_MODULE_NAME}"
        loader = importlib.machinery.ExtensionFileLoader(name, str(path))
        spec = importlib.util.spec_from_file_location(name, path, loader=loader)
        if spec is None:
            raise ToolchainError(f"Python cannot load {path}")
        try:
            module = importlib.util.module_from_spec(spec)
            loader.exec_module(module)
        except ImportError as error:
            hint = "try again with force_recompile=True"
            raise ToolchainError(f"Python cannot load {path}: {error}", hint) from error
        _loaded[path] = module
    return _loaded[path]


@dataclass(frozen=True, kw_only=True)
class _Build:
    compiler: Compiler
    cache: Cache
    verbose: bool
    say: Callable[[str], None]
    backend: Backend = OWN

    def find_backend(self, name: str) -> Backend:
        """The backend of this name, or our own kernels, with a line that says why."""
        if name == OWN.name:
            return OWN
        system = platform.system()
        names = backends.candidates(name, system)
        for candidate, following in itertools.zip_longest(names, names[1:]):
            try:
                return self.checked(backends.locate(candidate, system))
            except (BuildError, ToolchainError) as error:
                self.say(f"{_in_one_line(error)}; {f'trying {following}' if following else _OWN_INSTEAD}")
        return OWN

    def checked(self, backend: Backend) -> Backend:
        """`backend` with its version and file, after a program of its own has compared its products with ours.

        The program is compiled once and runs each time: a library may have become another one.

        Raises:
            ToolchainError: it cannot be linked or loaded, it crashes, or its products are wrong.
        """
        if self.compiler.is_microsofts:
            raise ToolchainError(f"{backend.title} cannot be linked by {self.compiler.dialect.value}")
        dlsym = ("-ldl",) if platform.system() == "Linux" else ()  # apart from libc before glibc 2.34
        own_flags = (*self._flags("-O1"), *backend.compile_flags)
        libraries = (*backend.libraries, *dlsym)
        key = self._key(_CHECK, *own_flags, *libraries)

        def build(target: Path) -> None:
            self._compile(_CHECK, target, own_flags, key, libraries)

        try:
            program, _ = self.cache.get_or_build(key, ".check", build)
        except BuildError as error:
            raise ToolchainError(f"{backend.title} cannot be linked", f"{backend.hint} ({error.hint})") from error
        done = process.run([program], timeout_s=_CHECK_TIMEOUT_S)
        lines = [*done.output.splitlines(), "", ""]
        if done.exit_code == 0:
            version = backend.version or "".join(lines[1].split()[1:2])
            return replace(backend, version=version, path=str(Path(lines[0]).resolve()) if lines[0] else "")
        if done.exit_code == _WRONG_PRODUCTS:
            raise ToolchainError(f"{backend.title} ({lines[0]}) computes wrong products", backend.hint)
        reason = f"exit code {done.exit_code}, {_shortened(lines[0])}".rstrip(", ")
        raise ToolchainError(f"{backend.title} does not run ({reason})", backend.hint)

    def module(self, translation_unit: str, environment: str | None, force: bool) -> Path:
        """Bindings and trainer are compiled side by side: the bindings know no sizes, so they are compiled once."""
        bindings_key = self._key(_BINDINGS, *self._binding_flags(), pybind11.__version__)
        environment_flags = self._optimised_flags()
        trainer_flags = (*environment_flags, *self.backend.compile_flags)
        if environment is None:
            translation_unit += _PYTHON_ENVIRONMENT
            environment_key = ""
        else:
            environment_key = self._key(environment, *environment_flags, self._own_files_digest(environment))
        libraries = self.backend.libraries
        link = self.compiler.link_command((), "", libraries, platform.system())
        parts = (bindings_key, environment_key, *trainer_flags, *map(str, link))
        if libraries:
            parts = (*parts, *libraries, self.backend.identity)
        key = self._key(translation_unit, *parts)

        def build(target: Path) -> None:
            from concurrent.futures import ThreadPoolExecutor  # a cached start does without

            self.say("Compiling the RLtools interface...")
            trainer_object = target.with_suffix(".trainer.o")
            try:
                with ThreadPoolExecutor(max_workers=2) as pool:
                    bindings = pool.submit(self._object, _BINDINGS, bindings_key, self._binding_flags(), force)
                    objects = [trainer_object]
                    if environment is not None:  # first: it is short, and may have mistakes
                        objects.append(self._object(environment, environment_key, environment_flags, force))
                    self._compile(translation_unit, trainer_object, trainer_flags, key)
                    objects.append(bindings.result())
                link = self.compiler.link_command(objects, target, libraries, platform.system())
                self._run(link, f"{key}-link")
            finally:
                # Microsoft's linker writes the two others beside a library that exports something.
                for leftover in (trainer_object, target.with_suffix(".lib"), target.with_suffix(".exp")):
                    leftover.unlink(missing_ok=True)

        suffix = sysconfig.get_config_var("EXT_SUFFIX") or ".so"
        path, was_cached = self.cache.get_or_build(key, suffix, build, force=force)
        # When it is in the cache: a caller that fails to take the line has lost nothing.
        self.say("Using cached RLtools interface." if was_cached else "Finished compiling the RLtools interface.")
        return path

    def _object(self, source: str, key: str, own_flags: tuple[str, ...], force: bool) -> Path:
        def build(target: Path) -> None:
            self._compile(source, target, own_flags, key)

        return self.cache.get_or_build(key, ".o", build, force=force)[0]

    def _own_files_digest(self, source: str) -> str:
        """SHA-256 over the files that `source` includes by their own paths, and over what those include, of ours not.

        Raises:
            BuildError: one of them is missing.
        """
        if not _OWN_INCLUDE.search(source):
            return ""
        with tempfile.TemporaryDirectory() as folder:
            unit, listed = Path(folder) / "environment.cpp", Path(folder) / "files"
            unit.write_text(source, encoding="utf-8")
            flags = (*self._optimised_flags(), f"-I{resources.include_dir()}")
            self._run(self.compiler.inclusions_command(unit, listed, flags), content_key(source))
            paths = self.compiler.inclusions(listed.read_text(encoding="utf-8-sig"))
            own = sorted(path for path in paths if path != unit and resources.include_dir() not in path.parents)
            return content_key(*(part for path in own for part in (str(path), path.read_bytes())))

    def _flags(self, optimisation: str) -> tuple[str, ...]:
        return self.compiler.flags(optimisation, platform.system(), platform.machine())

    def _optimised_flags(self) -> tuple[str, ...]:
        return (*self._flags("-O2"), *self.compiler.loop_flags)

    def _binding_flags(self) -> tuple[str, ...]:
        includes = {sysconfig.get_path("include"), sysconfig.get_path("platinclude")}
        # -O1: they only hand arrays over.
        return (*self._flags("-O1"), *(f"-I{path}" for path in (pybind11.get_include(), *sorted(includes))))

    def _key(self, source: str, *others: str) -> str:
        return content_key(
            source,
            headers_digest(source),
            "\0".join(self.compiler.command),
            self.compiler.version,
            cpu_identity(),
            str(sysconfig.get_config_var("SOABI")),
            platform.python_version(),
            *others,
        )

    def _compile(
        self, source: str, target: Path, own_flags: tuple[str, ...], key: str, libraries: tuple[str, ...] = ()
    ) -> None:
        """An object, or with `libraries` a program."""
        source_path = target.with_suffix(".cpp")
        source_path.write_text(source, encoding="utf-8")
        include = f"-I{resources.include_dir()}"
        try:
            flags = (*own_flags, include)
            if libraries:
                self._run([*self.compiler.command, *flags, source_path, "-o", target, *libraries], key)
            else:
                self._run(self.compiler.object_command(source_path, target, flags), key)
        finally:
            source_path.unlink(missing_ok=True)

    def _run(self, command: list[str | Path], name: str) -> None:
        text = shlex.join(str(part) for part in command)
        if self.verbose:
            self.say(text)
        done = process.run(command, timeout_s=_COMPILE_TIMEOUT_S)
        if self.verbose and done.output:
            self.say(done.output.rstrip())
        if done.exit_code == 0:
            return
        log = self.cache.log_path(name)
        log.write_text(f"{text}\n\n{done.output}", encoding="utf-8")
        raise BuildError(
            f"{self.compiler.version} refused the training interface (exit code {done.exit_code}):\n"
            + "\n".join(_shortened(line) for line in _reason(done.output.splitlines())),
            f"the whole output is in {log}",
        )


def _reason(lines: Sequence[str]) -> Sequence[str]:
    """Of a failed command's output at most `_LAST_LINES`: errors first, since the last lines are often notes."""
    numbers = range(len(lines))
    errors = [number for number in numbers if "error" in lines[number]][-_LAST_LINES:]
    linkers = [number for number in numbers if "error" not in lines[number] and _LINKERS.search(lines[number])]
    kept = [*errors, *linkers][:_LAST_LINES] or numbers[-_LAST_LINES:]
    return [lines[number] for number in sorted(kept)]


def _shortened(line: str) -> str:
    return line if len(line) <= _LINE_LENGTH else f"{line[:_LINE_LENGTH]}…"


def headers_digest(source: str) -> str:
    """SHA-256 over the content of every rl_tools header that `source` includes, however indirectly."""
    total = hashlib.sha256()
    for name, content in resources.included_headers(source.encode()).items():
        total.update(content_key(name, content).encode())
    return total.hexdigest()


def cpu_identity() -> str:
    """What -march=native looks at: the CPU's model and features. A home folder may be shared between machines."""
    parts = [platform.system(), platform.machine()]
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        first = cpuinfo.read_text(errors="replace").split("\n\n")[0]
        wanted = ("vendor_id", "cpu family", "model", "model name", "flags", "Features", "CPU part", "isa")
        parts += [line for line in first.splitlines() if line.split(":")[0].strip() in wanted]
    elif platform.system() == "Darwin":
        parts.append(process.run(["sysctl", "-n", "machdep.cpu.brand_string"], timeout_s=10).output)
    elif platform.system() == "Windows":
        parts.append(platform.processor())
    return "\n".join(parts)
