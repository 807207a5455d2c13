from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
import tomli
from hypothesis import given, settings
from hypothesis import strategies as st

import tracekit
from tests.unit.config.test_positions import Writer
from tests.unit.config.test_profile_faults import FIVE_MISTAKES
from tracekit.config.cargo import CARGO_KEYS
from tracekit.config.key import Key, Table
from tracekit.config.loader import bundled_profiles, check_text
from tracekit.config.reference import BEGIN, END, render_files, render_page, render_schema
from tracekit.config.tables import BOXES, PROFILE, USER

if TYPE_CHECKING:
    import random

ROOT = Path(__file__).resolve().parents[3]
# Beside the sources or from a wheel: where the package really is.
INSTALLED = Path(tracekit.__file__).resolve().parents[1]
FULL = """\
description = "everything"
[suite.api]
runner = "pytest"
python = ".venv/bin/python"
cwd = "."
paths = ["tests/api"]
ignore = ["tests/api/slow"]
args = ["-x"]
env = { LOG = "debug", DB = { secret = true, from = "env:DB" } }
env_file = ".env.test"
timeout = "120s"
soft_timeout = "60s"
slow = "5s"
stall = "off"
needs = ["migrate"]
locks = ["db"]
idempotent = true
isolate = ["*"]
trace = "calls"
[suite.migrate]
[env.box7]
host = "box7.lab"
user = "ci"
port = 22
fingerprint = "SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU"
how = "sync"
prepare = ["uv sync"]
keep = [".venv"]
artefacts = ["out/*.log"]
path_map = { "/srv/app" = "." }
protected = true
[env.six]
host = "[2001:db8::7%eth0]"
[env.local.service.db]
start = ["postgres", "-D", "{tmp}/pg", "-p", "{port}"]
ready = { tcp = "127.0.0.1:{port}", within = "10s" }
health = { http = "http://127.0.0.1:{port}/", every = "2s" }
needs = ["dirs"]
export = { DATABASE_URL = "postgres://127.0.0.1:{port}" }
[env.local.service.dirs]
start = ["mkdir", "x"]
ready = { command = ["test", "-d", "x"] }
[settings]
environment = "local"
trace = "default"
seed = 7
locals = false
run_lease = "12h"
service_lease = "60s"
glyphs = "ascii"
mouse = false
"""
REFUSED = [
    FIVE_MISTAKES,
    "sweet = 1",
    "suite = 3",
    "[suite.a]\nrunner = 'pytets'",
    "[suite.a]\nruner = 'pytest'",
    "[suite.'a/b']",
    "[suite.a]\npaths = 'tests'",
    "[suite.a]\npaths = [3]",
    "[suite.a]\npaths = ['/abs']",
    "[suite.a]\npaths = ['a/../b']",
    "[suite.a]\npaths = ['..']",
    "[suite.a]\npaths = ['-x']",
    '[suite.a]\ncwd = "a\\u0007b"',
    '[suite.a]\ncwd = "a\\u202Eb"',
    '[suite.a]\nargs = ["a\\u001bb"]',
    "[suite.a]\ntimeout = '5 s'",
    "[suite.a]\ntimeout = 5",
    "[suite.a]\nidempotent = 1",
    "[suite.a]\nlocks = ['db', 'db']",
    "[suite.a.env]\nA = 1",
    "[suite.a.env]\n'A-B' = 'x'",
    "[suite.a.env]\nTRACEKIT_MODE = 'x'",
    "[suite.a.env]\nA = { secret = true }",
    "[suite.a.env]\nA = { secret = false, from = 'env:X' }",
    "[suite.a.env]\nA = { secret = true, from = 'X' }",
    "[suite.a.env]\nA = { secret = true, from = 'file:../x' }",
    "[env.box]\nhost = '-oProxyCommand=touch x'",
    "[env.box]\nhost = 'ci@box'",
    "[env.box]\nhost = 'ssh://box'",
    "[env.box]\nhost = 'box:22'",
    "[env.box]\nhost = 'box'\nuser = '-l'",
    "[env.box]\nhost = 'box'\nport = 0",
    "[env.box]\nhost = 'box'\nfingerprint = 'MD5:00'",
    "[env.box]\nhost = 'box'\npath_map = { 'srv' = '.' }",
    "[env.local.service.db]",
    "[env.local.service.db]\nstart = []",
    "[env.local.service.db]\nstart = ['x']\nready = { within = '5s' }",
    "[env.local.service.db]\nstart = ['x']\nready = { tcp = 'a:1', log = 'b' }",
    "[env.local.service.db]\nstart = ['x']\nhealth = { log = 'b' }",
    "[env.local.service.db]\nstart = ['x']\nready = { http = 'ftp://x' }",
    "[settings]\nrun_lease = 5",
    "[settings]\nseed = -1",
]


def accepts(table: Table, document: dict[str, Any]) -> bool:
    return jsonschema.Draft202012Validator(json.loads(render_schema(table))).is_valid(document)


@pytest.mark.parametrize("table", [PROFILE, USER, BOXES], ids=["profile", "user", "boxes"])
def test_schema__each_file__then_a_valid_schema(table: Table) -> None:
    jsonschema.Draft202012Validator.check_schema(json.loads(render_schema(table)))


def test_schema__every_key_there_is__then_schema_and_loader_accept_it() -> None:
    profile, problems = check_text(FULL.encode())
    assert problems == []
    assert profile is not None
    assert profile.suites[0].needs == ("migrate",)
    assert accepts(PROFILE, tomli.loads(FULL))


def test_schema__bundled_profiles__then_schema_and_loader_accept_them() -> None:
    bundled = bundled_profiles()
    assert "demo" in bundled
    for directory in bundled.values():
        data = (Path(directory) / "profile.toml").read_bytes()
        assert check_text(data)[1] == []
        assert accepts(PROFILE, tomli.loads(data.decode()))


@pytest.mark.parametrize("text", REFUSED)
def test_schema__what_the_loader_refuses__then_refused_too(text: str) -> None:
    assert check_text(text.encode())[1]
    assert not accepts(PROFILE, tomli.loads(text))


def test_tables__every_example__then_accepted_by_the_loader() -> None:
    suite = PROFILE.keys["suite"].table
    environment = PROFILE.keys["env"].table
    switches = PROFILE.keys["settings"].table
    assert suite
    assert environment
    assert switches
    cargo = {key.name for key in CARGO_KEYS}
    others = [key for key in suite.keys.values() if key.name not in cargo]
    lines = ["[suite.migrate]", "[suite.a]", *(f"{key.name} = {key.example}" for key in others)]
    lines += ["[suite.c]", 'runner = "cargo"', *(f"{key.name} = {key.example}" for key in CARGO_KEYS)]
    lines += [
        "[env.box7]",
        *(f"{key.name} = {key.example}" for key in environment.keys.values() if key.example),
    ]
    lines += ["[settings]", *(f"{key.name} = {key.example}" for key in switches.keys.values())]
    assert check_text("\n".join(lines).encode())[1] == []


def keys_of(table: Table) -> st.SearchStrategy[dict[str, Any]]:
    """Documents with the table's keys and values that may or may not be right for them."""
    return st.dictionaries(st.sampled_from([*table.keys, "typo"]), st.none(), max_size=4).flatmap(
        lambda chosen: st.fixed_dictionaries({name: values_of(table.keys.get(name)) for name in chosen})
    )


def values_of(key: Key | None) -> st.SearchStrategy[Any]:
    junk = st.sampled_from(
        [0, -1, 1.5, True, "", "x", "..", "-x", "5s", "off", [], ["x"], ["x", "x"], {}, {"x": "y"}]
    )
    if key is None:
        return junk
    if key.kind in {"table", "tables"} and key.table:
        inner = keys_of(key.table)
        names = st.sampled_from(["a", "b", "local", "a b", ""])
        return st.one_of(junk, inner if key.kind == "table" else st.dictionaries(names, inner, max_size=2))
    right = st.just(tomli.loads(f"x = {key.example}")["x"]) if key.example else junk
    return st.one_of(right, right, right, junk)


@settings(max_examples=150, deadline=None)
@given(keys_of(PROFILE), st.randoms(use_true_random=False))
def test_schema__generated_documents__then_it_accepts_what_the_loader_accepts(
    document: dict[str, Any], style: random.Random
) -> None:
    writer = Writer(style)
    writer.table((), document)
    _, problems = check_text(writer.text.encode())
    assert all(problem.where.startswith("tracekit.toml:") and problem.action for problem in problems)
    assert problems or accepts(PROFILE, document)


def test_reference__every_key_and_example_of_the_page__then_documented_and_right() -> None:
    page = (ROOT / "docs" / "configuration.md").read_text()
    assert [path for path, text in render_files(page).items() if (ROOT / path).read_text() != text] == []
    example = re.search(r"```toml\n(\[suite.*?)```", page, re.DOTALL)
    assert example
    assert check_text(example[1].encode())[1] == []


def test_render_page__without_its_marks__then_refused() -> None:
    with pytest.raises(ValueError, match="marks"):
        render_page("# Configuration\n")
    assert render_page(f"a\n{BEGIN}\nold\n{END}\nb\n").startswith(f"a\n{BEGIN}\n\n## Settings")


def test_import__of_the_room__then_nothing_heavy_and_no_toml_reader() -> None:
    script = (
        "import sys\n"
        "import tracekit.config, tracekit.config.loader, tracekit.config.paths, tracekit.config.plan\n"
        "heavy = {'textual', 'rich', 'asyncssh', 'anyio', 'tomli', 'difflib', 'pathlib', 'jsonschema', 'asyncio'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    command = [
        sys.executable,
        "-S",
        "-c",
        f"import sys; sys.path.insert(0, {str(INSTALLED)!r})\n{script}",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
