"""The house rules a linter does not know: module sizes, words, machine paths, hosts, links between documents.

Each rule gives faults as `path:line: what, and what to do`. Must never read anything but the tree.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TYPE_CHECKING

from tools.tasks.common import ROOT, tracked_files

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

MODULE_LIMIT = 600
SMALL_MODULES = {"console/tracekit/ui/app.py": 300}
CODE = {".py", ".pyi", ".rs"}
TEXT = CODE | {".md", ".toml", ".sh", ".yml", ".yaml", ".json", ".tcss", ".c", ".h", ".cfg", ""}
# Made by a tool from its inputs: long, and full of the addresses of where things were found.
MADE = {"Cargo.lock", "requirements.lock", "LICENSE-APACHE", "LICENSE-MIT", "LICENSE-THIRD-PARTY"}
MADE_PARTS = {"screenshots", "goldens"}
# Projects made to misbehave, and recorded runs: their content is the point.
FIXTURES = ("tests/fixtures/",)
# Hosts that exist only in documentation (RFC 2606), the loopback, and the identifiers of formats.
HOSTS = re.compile(
    r"^(127\.\d+\.\d+\.\d+|0\.0\.0\.0|(?:[\w-]+\.)*example\.(?:com|org|net)|[\w.-]+\.(?:example|invalid|test|localhost)"
    r"|www\.w3\.org|json-schema\.org|rustup\.rs|semver\.org)$"
)
ADDRESS = re.compile(r"\b(?:https?|wss?|ssh|git|ftp)://(?:[\w.%-]+@)?([A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+)")
MACHINE_PATH = re.compile(r"(?<![\w.~}\-])/(?:root|home|Users|mnt|work)/[\w.\-]+")
ISSUE = re.compile(r"(?i)\bissues?\s+#?\d+\b")
UNFINISHED = re.compile(r"\b(?:TO" r"DO|FIX" r"ME|XX" r"X|HA" r"CK)\b")
SWITCHED_OFF = re.compile(r"#\[ignore")
CANNOT_FAIL = re.compile(r"assert!\(true\)")
OFF = {"pytest.mark.skip", "pytest.mark.skipif", "pytest.mark.xfail", "unittest.skip", "unittest.skipIf"}
SLEEPS = {"time.sleep", "asyncio.sleep", "anyio.sleep", "trio.sleep"}
UNSEEN_HOST = re.compile(r"known_hosts\s*=\s*No" r"ne")
MARKUP = re.compile(r"markup\s*=\s*Tr" r"ue|from_mark" r"up\(")
# What a run's journal and output are called, and where they may be touched: where they are packed, where they are read
# packed or plain, and where they are written.
RUN_FILES = {"JOURNAL_FILE", "OUTPUT_FILE", "journal.ndjson", "output.bin"}
RUN_FILE_NAME = re.compile(r"journal\.ndjson|output\.bin")
RUN_FILE_WORD = re.compile(r"JOURNAL_FILE|OUTPUT_FILE|\bjournal\b|output\.bin")
TOUCHES = {
    "open",
    "read_bytes",
    "read_text",
    "stat",
    "is_file",
    "exists",
    "write_bytes",
    "write_text",
    "unlink",
}
SEAM = {f"console/tracekit/store/{name}.py" for name in ("recorded", "packing", "copies", "tracing")}
SEAM |= {"native/python/src/trace.rs"}
BEFORE_PACKING = ("console/tracekit/agent/", "console/tracekit/wire/", "console/tracekit/profiles/")
# What the hosts of other tools hand them, and who names those files.
TREE = ROOT
REPORTERS = "console/tracekit/agent/hosts/js/"
SHIPS = TREE / "console/tracekit/agent/hosts/javascript.py"
# What stands at the top, and nothing else: a note that somebody wrote for a day stays for years there.
TOP = {
    ".gitignore",
    "CHANGELOG.md",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "Makefile",
    "README.md",
    "pyproject.toml",
}
TOP |= {"requirements.lock", ".ci", "console", "docs", "native", "profiles", "screenshots", "tests", "tools"}
LINK = re.compile(r"\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+\s+(.*)$")

# These hold what the rules look for.
RULES_THEMSELVES = {"tools/tasks/house.py", "tests/e2e/test_house_tools.py"}

Lines = list[str]


def name(path: Path) -> str:
    """The path as it is written in a fault."""
    return path.relative_to(ROOT).as_posix()


def read(path: Path) -> Lines:
    """The lines of a text file; nothing for one that is not text."""
    if path.suffix not in TEXT or path.name in MADE or MADE_PARTS.intersection(path.parts):
        return []
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError:
        return []


def search(pattern: re.Pattern[str], where: str, lines: Lines, what: str) -> Iterator[str]:
    """One fault for each line that the pattern is in."""
    for number, line in enumerate(lines, 1):
        if pattern.search(line):
            yield f"{where}:{number}: {what}: {line.strip()[:100]}"


def sizes(path: Path, lines: Lines) -> Iterator[str]:
    """A module is one thought."""
    if path.suffix not in CODE:
        return
    limit = SMALL_MODULES.get(name(path), MODULE_LIMIT)
    if len(lines) > limit:
        yield f"{name(path)}:1: {len(lines)} lines, {limit} at most: move one thought out of it"


def words(path: Path, lines: Lines) -> Iterator[str]:
    """The project speaks of itself alone, and of nothing unfinished."""
    where = name(path)
    yield from search(UNFINISHED, where, lines, "unfinished; finish it or say it in the docs")
    yield from search(ISSUE, where, lines, "a number of a tracker; say the reason itself")
    yield from search(re.compile(re.escape(str(ROOT))), where, lines, "a path of this machine")
    if not where.startswith("tests/"):  # tests make homes up
        yield from search(MACHINE_PATH, where, lines, "a path of some machine")


def hosts(path: Path, lines: Lines) -> Iterator[str]:
    """Addresses lead nowhere outside: no registry, no site."""
    if name(path).startswith(FIXTURES):
        return
    for number, line in enumerate(lines, 1):
        for match in ADDRESS.finditer(line):
            host = match.group(1)
            if not HOSTS.match(host):
                yield f"{name(path)}:{number}: the address of {host}: leave it to the machine's settings"


def honest_tests(path: Path, lines: Lines) -> Iterator[str]:
    """Tests are on, can fail, and wait for something."""
    where = name(path)
    if not where.startswith(("tests/", "native/")) or where.startswith(FIXTURES):
        return
    if path.suffix == ".rs":
        yield from search(SWITCHED_OFF, where, lines, "a test that is switched off")
        yield from search(CANNOT_FAIL, where, lines, "a check that cannot fail")
    elif path.suffix == ".py":
        yield from honest_python(where, lines)


def honest_python(where: str, lines: Lines) -> Iterator[str]:
    """The same for Python, read as code: the source of a sample test inside a string is no test."""
    waits = Path(where).name.startswith(("test_", "conftest"))
    for node in ast.walk(ast.parse("\n".join(lines))):
        if isinstance(node, ast.Attribute) and ast.unparse(node) in OFF:
            yield f"{where}:{node.lineno}: a test that is switched off: {ast.unparse(node)}"
        elif isinstance(node, ast.Assert) and isinstance(node.test, ast.Constant) and node.test.value:
            yield f"{where}:{node.lineno}: a check that cannot fail: {ast.unparse(node)}"
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in SLEEPS and waits:
            # A loop that polls for a condition says so on the same line.
            marked = "# poll" in lines[node.lineno - 1]
            if not marked:
                yield f"{where}:{node.lineno}: a test that sleeps; wait for what it waits for (or mark `# poll: …`)"


def safe_code(path: Path, lines: Lines) -> Iterator[str]:
    """Hosts are never accepted unseen, outside text is never markup."""
    where = name(path)
    if where.startswith(("console/", "tests/")) and path.suffix == ".py" and not where.startswith(FIXTURES):
        yield from search(UNSEEN_HOST, where, lines, "a host accepted unseen")
    if where.startswith("console/") and path.suffix == ".py":
        yield from search(MARKUP, where, lines, "text read as markup")


def _of_a_run(node: ast.AST, names: set[str]) -> bool:
    """Whether an expression names a run's journal or output, or a variable that was given one."""
    return any(
        (isinstance(each, ast.Name) and (each.id in names or each.id in RUN_FILES))
        or (isinstance(each, ast.Attribute) and each.attr == "journal")
        or (isinstance(each, ast.Constant) and each.value in RUN_FILES)
        for each in ast.walk(node)
    )


def _given(function: ast.AST) -> set[str]:
    """The variables of a function that are given the path of a journal or an output."""
    names: set[str] = set()
    for node in ast.walk(function):
        match node:
            case ast.Assign(targets=[ast.Name(id=told)], value=ast.BinOp() | ast.Attribute() as value):
                names |= {told} if _of_a_run(value, names) else set()
            case ast.arg(arg="journal", annotation=annotation) if annotation is not None:
                names |= {"journal"} if "Path" in ast.unparse(annotation) else set()
    return names


def one_seam(path: Path, lines: Lines) -> Iterator[str]:
    """A run may be packed: its journal and its output are opened, and looked for, in one place."""
    where = name(path)
    if path.suffix == ".rs" and where not in SEAM and "/src/" in where:
        yield from search(
            RUN_FILE_NAME, where, lines, "a run's file outside the seam; let Python hand it over"
        )
    if not where.startswith("console/tracekit/") or where.startswith(BEFORE_PACKING) or where in SEAM:
        return
    if path.suffix != ".py" or not any(RUN_FILE_WORD.search(line) for line in lines):
        return
    tree = ast.parse("\n".join(lines))
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    found: set[int] = set()
    for function in functions:
        names = _given(function)
        for node in ast.walk(function):
            match node:
                case ast.Call(func=ast.Attribute(value=value, attr=attr)) if attr in TOUCHES:
                    touched = _of_a_run(value, names)
                case ast.Call(func=ast.Name(id="open" | "TraceView"), args=args, keywords=keywords):
                    touched = any(_of_a_run(each, names) for each in args)
                    touched |= any(each.arg == "journal" for each in keywords)
                case _:
                    continue
            # A file that nobody ever packs says so on the same line.
            if touched and "# plain" not in lines[node.lineno - 1]:
                found.add(node.lineno)
    for number in sorted(found):
        yield f"{where}:{number}: a run's file outside the seam: ask store.recorded, it may be packed"


def docstrings(path: Path, lines: Lines) -> Iterator[str]:
    """Every module says what it is for."""
    where = name(path)
    if not where.startswith(("console/", "tools/")) or path.suffix != ".py" or "profiles" in path.parts:
        return
    body = [line for line in lines if line.strip() and not line.startswith("#")]
    if body and not body[0].lstrip("rR").startswith(('"""', "'''")):
        yield f"{where}:1: no docstring: one paragraph, what it is for and what it must never do"


def shipped(path: Path, _: Lines) -> Iterator[str]:
    """What is shipped for other tools is what their host names: a reporter of ours that ran here may have left more."""
    where = name(path)
    if where.startswith(REPORTERS) and not re.search(rf'"{re.escape(path.name)}"', SHIPS.read_text("utf-8")):
        yield f"{where}:1: a file that no host names: remove it, or name it in {SHIPS.relative_to(TREE)}"


def top(path: Path, _: Lines) -> Iterator[str]:
    """Whoever opens the repository sees a few names, each of which is known here."""
    if name(path).partition("/")[0] not in TOP:
        yield f"{name(path)}:1: not one of the names at the top: move it, or name it in {Path(__file__).name}"


def anchors(lines: Lines) -> set[str]:
    """The anchors a Markdown file offers."""
    found = set()
    for line in lines:
        if heading := HEADING.match(line):
            kept = re.sub(r"[^\w\- ]", "", heading.group(1).lower())
            found.add(kept.strip().replace(" ", "-"))
    return found


def links(path: Path, lines: Lines) -> Iterator[str]:
    """A link in a document leads to a file, and to a heading in it."""
    if path.suffix != ".md" or name(path).startswith(FIXTURES):
        return
    for number, line in enumerate(lines, 1):
        for target in LINK.findall(line):
            if "://" in target or target.startswith("mailto:"):
                continue
            file, _, anchor = target.partition("#")
            aim = (path.parent / file).resolve() if file else path
            if file and not aim.exists():
                yield f"{name(path)}:{number}: a link to nothing: {target}"
            elif anchor and aim.suffix == ".md" and anchor not in anchors(read(aim) if file else lines):
                yield f"{name(path)}:{number}: no such heading: {target}"


RULES: tuple[Callable[[Path, Lines], Iterable[str]], ...] = (
    sizes,
    words,
    hosts,
    honest_tests,
    safe_code,
    one_seam,
    docstrings,
    shipped,
    top,
    links,
)


def all_faults() -> list[str]:
    """Every fault in the tree, in the order of the files."""
    faults: list[str] = []
    for path in tracked_files():
        if name(path) in RULES_THEMSELVES:
            continue
        lines = read(path)
        for rule in RULES:
            faults.extend(rule(path, lines))
    return faults
