"""What a selector may mean before anybody knows which scenarios there are: whether a suite, or a file of which nothing
could be collected, may hold one that it means.

Yes, no and perhaps: only a certain no counts. Who reads a selector so never looks for less than it means.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from tracekit.model.facts import ScenarioFacts
from tracekit.model.selection import parse_selector
from tracekit.model.selector_syntax import Junction, Node, Not, Term, parse
from tracekit.wire.ids import id_prefix
from tracekit.wire.problems import ProblemError

_SCRIPTS = (".js", ".jsx", ".ts", ".tsx", ".mjs", ".cjs", ".mts", ".cts")
#: What the sources of each runner end with; one that is not here may have any.
_SOURCES = {
    "pytest": (".py", ".txt", ".rst", ".md", ".yaml", ".yml"),
    "unittest": (".py",),
    "cargo": (".rs",),
    "go": (".go",),
    **dict.fromkeys(("vitest", "jest", "mocha", "node"), _SCRIPTS),
}
_LANGUAGES = (".py", ".rs", ".go", *_SCRIPTS)
_ID = re.compile(r"(?:pytest|unittest|cargo|go|vitest|jest|mocha|node|command)(?:@[^:]*)?:(?!:)")


def may_hold(texts: Iterable[str], suite: str, runner: str, file: str = "") -> bool:
    """Whether any of these selectors may mean a scenario of a suite, or of one file of it."""
    return any(_reached(text, ScenarioFacts("", suite=suite, runner=runner, file=file)) for text in texts)


def _reached(text: str, known: ScenarioFacts) -> bool:
    try:
        return _of(parse(text), known) is not False
    except ProblemError:
        return True  # whoever selects says what is wrong with it, or knows it for an id


def _of(node: Node, known: ScenarioFacts) -> bool | None:
    if isinstance(node, Not):
        inner = _of(node.inner, known)
        return None if inner is None else not inner
    if isinstance(node, Junction):
        parts = [_of(part, known) for part in node.parts]
        decides = node.how == "or"
        if decides in parts:
            return decides
        return None if None in parts else not decides
    return _of_term(node, known)


def _of_term(term: Term, known: ScenarioFacts) -> bool | None:
    if term.field in {"suite", "runner"}:
        value = f'"{term.value}"' if term.exact else term.value
        return parse_selector(f"{term.field}:{value}").matches(known)
    if term.field in {"", "file", "id"}:
        return _of_bare(term.value, known) if term.field == "" else _of_places(term, known)
    return None


def _of_places(term: Term, known: ScenarioFacts) -> bool | None:
    values = [term.value] if term.exact else [value for value in term.value.split(",") if value]
    found = [_of_place(value, known) for value in values or [""]]
    return None if None in found or True in found else False


def _of_bare(value: str, known: ScenarioFacts) -> bool | None:
    """A path or an id; without any mark of those it may as well be a part of a name."""
    found = _of_place(value, known)
    return found if found or "/" in value or "::" in value or _ID.match(value) else None


def _of_place(value: str, known: ScenarioFacts) -> bool | None:
    """A path or an id."""
    if _ID.match(value) is not None:
        return _of_id(value, known)
    path = value.partition("::")[0].removeprefix("./").rstrip("/")
    ending = next((one for one in _LANGUAGES if path.endswith(one)), "")
    sources = _SOURCES.get(known.runner)
    if ending and sources is not None and ending not in sources:
        return False
    if not known.file or "*" in path or "?" in path:
        return None
    if path and path != "." and (known.file == path or known.file.startswith(path + "/")):
        return None if "::" in value else True
    return False


def _of_id(value: str, known: ScenarioFacts) -> bool | None:
    """An id says whose it is."""
    prefix = id_prefix(known.runner, known.suite)
    if "*" in value or "?" in value:
        return None
    if not value.startswith(prefix):
        return False
    file = value.removeprefix(prefix).partition("::")[0]
    return False if known.file and file and file != known.file else None
