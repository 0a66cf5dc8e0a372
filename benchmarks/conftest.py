"""The tests of the benchmarks share what all tests share: `rlt-embed` on PATH, and one compiler cache per test run."""

from tests.conftest import _environment as _environment
