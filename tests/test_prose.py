"""The pages are plain and point at what exists: every Markdown file that git tracks, and the template of one."""

from __future__ import annotations

import ast
import fnmatch
import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
LONGEST_SENTENCE = 27
README_COLUMNS = 80

# Places that docs/architecture.md names before something stands in them; an entry goes when its place is there.
NOT_YET = frozenset({"policy/importers"})

# Words that a reader must translate, and one word for one thing: a board and the host are compared by a
# *validation*; how far a board was tested is its *evidence*.
DIALECT = (
    r"told",
    r"said",
    r"says? so",
    r"is so here",
    r"what is asked of",
    r"of ours",
    r"by itself",
    r"reach(?:es|ed|ing)?",
    r"proofs?|prov(?:e|es|ed|en|ing)",
)
_DIALECT = re.compile(rf"\b(?:{'|'.join(DIALECT)})\b", re.IGNORECASE)
_FOUND_AS_HEADING = re.compile(r"\|\s*found\s*\|", re.IGNORECASE)

_SENTENCE_END = re.compile(r"""[.!?]["')*\]]*(?=\s)""")
_ABBREVIATION = re.compile(r"\b(?:al|e\.g|i\.e)\.$")
_LINK = re.compile(r"!?\[(?P<text>[^\]]*)\]\((?P<target>[^)\s]+)\)")
_CODE = re.compile(r"`([^`\n]+)`")
_CODE_BLOCK = re.compile(r"^\s*```.*?^\s*```", re.MULTILINE | re.DOTALL)
_LIST_ITEM = re.compile(r"^\s*(?:[-*]|\d+\.)\s")


@cache
def tracked() -> tuple[str, ...]:
    """Every tracked file, as a path from the root of the repository."""
    command = ("git", "ls-files")
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    return tuple(path for path in listed if (ROOT / path).exists())


@cache
def places() -> frozenset[str]:
    """The tracked files and folders, and every ending of their paths: `a/b/c.h`, `b/c.h`, `c.h`."""
    paths = {path.removesuffix(".jinja") for path in tracked()} | set(tracked())
    paths |= {str(folder) for path in paths for folder in Path(path).parents}
    return frozenset("/".join(path.split("/")[start:]) for path in paths for start in range(path.count("/") + 1))


@cache
def rooms() -> frozenset[str]:
    """What our paths begin with: the folders of the repository, of the package and of the library."""
    above = {Path(), Path("rltools_embed"), Path("cpp/include"), Path("cpp/include/rl_tools")}
    folders = {folder for path in tracked() for folder in Path(path).parents}
    return frozenset(folder.name for folder in folders if folder.parent in above and folder.name)


def pages() -> list[str]:
    return [path for path in tracked() if path.endswith((".md", ".md.jinja"))]


def read(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


# ---------------------------------------------------------------------------------------------------------- sentences


def blocks(text: str) -> Iterator[tuple[int, list[str]]]:
    """Paragraphs, items of lists and cells of tables: the number of the first line, and the lines.

    Code blocks, headings, comments and the tags of a template are left out.
    """
    paragraph: list[str] = []
    is_code = False
    for number, line in enumerate([*text.splitlines(), ""], 1):
        is_fence = line.lstrip().startswith("```")
        starts_anew = is_fence or is_code or not line.strip() or line.startswith(("#", "|", "<!--", "{%"))
        if paragraph and (starts_anew or _LIST_ITEM.match(line)):
            yield number - len(paragraph), paragraph
            paragraph = []
        if is_fence:
            is_code = not is_code
        elif line.startswith("|"):
            yield from ((number, [cell.strip()]) for cell in line.strip().strip("|").split("|"))
        elif not starts_anew:
            paragraph.append(line)


def plain(text: str) -> str:
    """Text without the targets of links, and each piece of code as one word."""
    text = re.sub(r"\{\{.*?\}\}", "value", re.sub(r"\{%.*?%\}", " ", text))
    return _CODE.sub("code", _LINK.sub(lambda link: link["text"], text))


def sentences(text: str) -> Iterator[str]:
    """The sentences of one block."""
    text, begin = plain(_LIST_ITEM.sub("", text, count=1)), 0
    for end in _SENTENCE_END.finditer(text):
        if not _ABBREVIATION.search(text[: end.end()]):
            yield text[begin : end.end()].strip()
            begin = end.end()
    if rest := text[begin:].strip():
        yield rest


def words(sentence: str) -> int:
    return sum(any(letter.isalnum() for letter in word) for word in sentence.split())


def long_sentences(text: str) -> list[str]:
    """Each sentence of more words than LONGEST_SENTENCE, with its line and its number of words."""
    return [
        f"{number}: {words(sentence)} words: {sentence}"
        for number, lines in blocks(text)
        for sentence in sentences(" ".join(lines))
        if words(sentence) > LONGEST_SENTENCE
    ]


def broken_lines(text: str) -> list[str]:
    """Lines with two sentences, and sentences of two lines: a change of one sentence is then a change of one line."""
    findings = []
    for number, lines in blocks(re.sub(r"^\|.*$", "", text, flags=re.MULTILINE)):
        for offset, line in enumerate(lines):
            if len(list(sentences(line))) > 1:
                findings.append(f"{number + offset}: more than one sentence: {line}")
            if offset and not re.search(r"""[.!?:]["')*\]]*$""", lines[offset - 1].rstrip()):
                findings.append(f"{number + offset - 1}: a sentence goes on in the next line: {lines[offset - 1]}")
    return findings


def dialect(text: str) -> list[str]:
    """Phrases of DIALECT outside of code, with their lines."""
    findings = [
        f"{number}: {line}" for number, line in enumerate(text.splitlines(), 1) if _FOUND_AS_HEADING.search(line)
    ]
    for number, lines in blocks(text):
        findings += [f"{number + at}: {line}" for at, line in enumerate(lines) if _DIALECT.search(plain(line))]
    return findings


# -------------------------------------------------------------------------------------------------------------- links


def anchors(text: str) -> set[str]:
    """The names by which headings are linked, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", plain_heading(heading)).replace(" ", "-") for heading in headings}


def plain_heading(heading: str) -> str:
    return _LINK.sub(lambda link: link["text"], heading).strip().lower()


def dead_links(page: str, text: str) -> list[str]:
    """Relative links of this page to no file, or to no heading of it."""
    findings = []
    for link in _LINK.finditer(_CODE_BLOCK.sub("", text)):
        target, _, anchor = link["target"].partition("#")
        if "://" in target:
            continue
        path = (ROOT / page).parent / target if target else None
        if path is not None and not path.exists():
            findings.append(f"{page}: {link['target']}")
        elif anchor and anchor not in anchors(text if path is None else path.read_text(encoding="utf-8")):
            findings.append(f"{page}: {link['target']} (no such heading)")
    return findings


def missing_paths(text: str) -> list[str]:
    """Paths in backticks that begin with one of our folders and are not there; in a folder's row, files it lacks."""
    text = _CODE_BLOCK.sub("", text)
    findings = [path for path in map(_as_path, _CODE.findall(text)) if path and not _is_there(path)]
    for line in text.splitlines():
        first, *others = (_CODE.findall(cell) for cell in line.strip().strip("|").split("|"))
        if line.startswith("|") and len(first) == 1 and first[0].endswith("/") and first[0].rstrip("/") in places():
            names = [name for cell in others for name in cell if re.fullmatch(r"[\w/]+\.py", name)]
            findings += [first[0] + name for name in names if not _is_there(first[0] + name)]
    return findings


def _as_path(code: str) -> str | None:
    path = code.partition("::")[0]
    is_path = re.fullmatch(r"[\w.\-*]+(?:/[\w.\-*]+)*/?", path) and "/" in path
    return path.rstrip("/") if is_path and path.partition("/")[0] in rooms() else None


def _is_there(path: str) -> bool:
    return path in places() or ("*" in path and any(fnmatch.fnmatch(place, path) for place in places()))


# -------------------------------------------------------------------------------------------------------------- tests


@pytest.mark.parametrize("page", pages())
def test_no_sentence_is_long(page: str) -> None:
    assert long_sentences(read(page)) == []


@pytest.mark.parametrize("page", [page for page in pages() if page != "CHANGELOG.md"])
def test_a_line_is_a_sentence(page: str) -> None:
    assert broken_lines(read(page)) == []


@pytest.mark.parametrize("page", pages())
def test_words_are_those_of_the_field(page: str) -> None:
    assert dialect(read(page)) == []


@pytest.mark.parametrize("page", pages())
def test_links_lead_somewhere(page: str) -> None:
    assert dead_links(page, read(page)) == []


@pytest.mark.parametrize("page", [page for page in pages() if page != "CHANGELOG.md"])
def test_paths_of_the_repository_exist(page: str) -> None:
    assert [path for path in missing_paths(read(page)) if path.removeprefix("rltools_embed/") not in NOT_YET] == []


def test_what_is_not_yet_there_is_missing_and_is_named() -> None:
    assert {path.removeprefix("rltools_embed/") for path in missing_paths(read("docs/architecture.md"))} == NOT_YET


def test_the_readmes_code_fits_a_terminal() -> None:
    code = _CODE_BLOCK.findall(read("README.md"))
    assert [line for block in code for line in block.splitlines() if len(line) > README_COLUMNS] == []


# ------------------------------------------------------------------------------------- the checks see what they are for


def sentence_of(count: int) -> str:
    return " ".join(["word"] * count) + "."


@pytest.mark.parametrize("frame", ["{}", "Short. {}", "- {}", "| cell | {} |", "A line\nand {}"])
def test_a_sentence_of_28_words_is_found_and_one_of_27_is_not(frame: str) -> None:
    before = frame.count("line") * 3
    assert long_sentences(frame.format(sentence_of(28 - before)))
    assert not long_sentences(frame.format(sentence_of(27 - before)))


def test_code_headings_and_targets_of_links_are_no_words() -> None:
    assert not long_sentences(f"```\n{sentence_of(40)}\n```\n\n# {sentence_of(40)}\n\n`{sentence_of(40)}`")
    assert not long_sentences(sentence_of(26)[:-1] + " [word](https://example.org/a_b).")
    assert long_sentences(sentence_of(26)[:-1] + " [two words](https://example.org/a_b).")


def test_a_version_and_an_abbreviation_end_no_sentence() -> None:
    assert list(sentences("He et al. (2015) and RLtools 2.2.1 do, e.g. here. (So.) End")) == [
        "He et al. (2015) and RLtools 2.2.1 do, e.g. here.",
        "(So.)",
        "End",
    ]


def test_a_line_of_two_sentences_and_a_sentence_of_two_lines_are_found() -> None:
    assert broken_lines("One. Two.")
    assert broken_lines("This sentence\nhas two lines.")
    assert not broken_lines("1. One.\nTwo:\n\n- three\n- four.\n  Five.\n\n| One. Two. |")


@pytest.mark.parametrize("text", ["A cache is told in a line.", "It says so.", "| x | found |", "a proof", "Proven."])
def test_dialect_is_found(text: str) -> None:
    assert dialect(text)
    assert not dialect(f"```\n{text}\n```" if "|" not in text else "| x | measured |")


def test_dead_links_and_headings_are_found() -> None:
    assert dead_links("README.md", "[a](docs/nothing.md)") == ["README.md: docs/nothing.md"]
    assert dead_links("README.md", "[a](docs/errors.md#nothing)") == [
        "README.md: docs/errors.md#nothing (no such heading)"
    ]
    assert dead_links("README.md", "# One: `two`\n[a](#nothing)") == ["README.md: #nothing (no such heading)"]
    assert not dead_links("README.md", "# One: `two`\n[a](#one-two) [b](docs/errors.md#errors-and-exit-codes)")
    assert not dead_links("docs/errors.md", "[a](../README.md) [b](https://example.org/c)")


def test_missing_paths_are_found() -> None:
    assert missing_paths("`rltools_embed/nothing.py` and `embed/nothing.h`") == [
        "rltools_embed/nothing.py",
        "embed/nothing.h",
    ]
    assert missing_paths("| `rltools_embed/policy/` | `model.py`, `nothing.py` |") == [
        "rltools_embed/policy/nothing.py"
    ]
    assert missing_paths("`boards/nothing*.toml`")
    assert missing_paths("```\n`boards/a.toml`\n```\n\n`boards/b.toml`") == ["boards/b.toml"]
    assert not missing_paths("`rltools_embed/errors.py`, `rl_tools/embed/policy.h`, `boards/*.toml`, `src/control.cpp`")
    assert not missing_paths("`training/test_upstream_faults.py::test_name`, `and/or`, `boards/<board>/`")


# --------------------------------------------------------------------------------------------------------- docstrings


def undocumented(source: str) -> list[str]:
    """The public names of a module, itself among them, that have no docstring; their members too."""

    def names(node: ast.AST, prefix: str) -> Iterator[str]:
        for each in ast.iter_child_nodes(node):
            if isinstance(each, ast.FunctionDef | ast.ClassDef) and not each.name.startswith("_"):
                if ast.get_docstring(each) is None:
                    yield f"{prefix}{each.name}"
                if isinstance(each, ast.ClassDef):
                    yield from names(each, f"{prefix}{each.name}.")

    tree = ast.parse(source)
    return [*(["the module"] if tree.body and ast.get_docstring(tree) is None else []), *names(tree, "")]


def test_every_public_name_has_a_docstring() -> None:
    modules = {str(path.relative_to(ROOT)): path for path in (ROOT / "rltools_embed").rglob("*.py")}

    found = {name: undocumented(path.read_text(encoding="utf-8")) for name, path in modules.items()}

    assert {name: missing for name, missing in found.items() if missing} == {}


def test_a_public_name_without_a_docstring_is_found() -> None:
    shown = 'class A:\n    """A."""\n    def b(self): ...\n    def _c(self): ...\ndef d(): ...\n'
    hidden = "class _E:\n    def f(self): ...\n"

    assert undocumented(shown + hidden) == ["the module", "A.b", "d"]


# -------------------------------------------------------------------------------------------------------- parameters

# A past participle is no name for a thing: `actual`, `policy`, `size` are.
PARTICIPLES = frozenset({"found", "told", "said", "asked", "proven"})
_CPP_PARAMETER = re.compile(rf"[(,]\s*(?:const\s+)?[A-Za-z_][\w:<>]*[*&]* ({'|'.join(sorted(PARTICIPLES))})\s*[,)]")


def participles_in_python(source: str) -> list[str]:
    """Functions with such a parameter, and its name."""
    functions = (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef))
    return [
        f"{function.name}({argument.arg})"
        for function in functions
        for argument in (*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs)
        if argument.arg in PARTICIPLES
    ]


def test_no_parameter_is_named_by_a_participle() -> None:
    python = {
        path: participles_in_python(path.read_text(encoding="utf-8")) for path in places_of("rltools_embed", ".py")
    }
    native = {
        path: _CPP_PARAMETER.findall(path.read_text(encoding="utf-8"))
        for folder in ("cpp/include", "templates")
        for path in (*places_of(folder, ".h"), *places_of(folder, ".cpp"))
    }

    assert {str(path): names for path, names in {**python, **native}.items() if names} == {}


def places_of(folder: str, ending: str) -> list[Path]:
    return sorted(path for path in (ROOT / folder).rglob(f"*{ending}") if path.is_file())


def test_a_participle_is_found_in_either_language() -> None:
    assert participles_in_python("def f(found, *, size): ...\n") == ["f(found)"]
    assert _CPP_PARAMETER.findall("int f(std::size_t said, int y);") == ["said"]
    assert _CPP_PARAMETER.findall("int f(std::size_t size) { return found(size, said); }") == []
