"""Go modules: found without configuration, told live by `go test -json`, and a package that dies costs one test."""

from __future__ import annotations

import json
import os
import shutil
import signal
from pathlib import Path

import pytest

from tests.support.cli import Sandbox, processes_with
from tests.support.unavailable import unavailable

FIXTURE = Path(__file__).resolve().parents[1] / "fixtures" / "go_module"
ENDS = {
    "go:.::TestOpens": "passed",
    "go:cart::ExampleTotal": "passed",
    "go:cart::TestAdds": "failed",
    "go:cart::TestAdds ▸ one_two": "passed",
    "go:cart::TestAdds ▸ three": "failed",
    "go:cart::TestDies": "crashed",
    "go:cart::TestHangs": "passed",
    "go:cart::TestLast": "passed",
    "go:cart::TestPanics": "failed",
    "go:cart::TestSkipped": "skipped",
}


@pytest.fixture
def sandbox(tmp_path: Path) -> Sandbox:
    program = shutil.which("go")
    if program is None:
        unavailable("go: not installed")
    # What the standard library is compiled to is the same for every test.
    cache = os.environ.get("GOCACHE", str(Path.home() / ".cache" / "go-build"))
    environ = {"GOCACHE": cache, "GOFLAGS": "-mod=mod", "GOPROXY": "off", "GOTOOLCHAIN": "local"}
    return Sandbox(tmp_path / "home", environ)


@pytest.fixture
def root(sandbox: Sandbox) -> Path:
    return Path(shutil.copytree(FIXTURE, sandbox.home / "shop"))


def test_run__every_kind_of_end__then_verdicts_places_and_the_rest_of_a_dead_package(
    sandbox: Sandbox, root: Path
) -> None:
    done = sandbox.run("run", root, "--json")
    assert done.code == 1, done.err
    assert done.verdicts() == ENDS
    ends = {line["scenario"]: line for line in done.of("attempt.ended")}
    assert ends["go:cart::TestDies"]["reason"] == "the process of its package ended during it"
    assert ends["go:cart::TestSkipped"]["reason"] == "not written yet"
    failures = {line["scenario"]: line["chain"][0] for line in done.of("failure")}
    assert failures["go:cart::TestAdds ▸ three"]["message"] == "got 3, want 4"
    assert failures["go:cart::TestAdds ▸ three"]["frames"][0]["file"] == "cart/cart_test.go"
    assert failures["go:cart::TestPanics"]["type"] == "panic"
    texts = {line.get("scenario"): line.get("text") for line in done.of("output")}
    assert texts["go:cart::TestDies"] == "before the end\n"
    (broken,) = done.of("discover.failed")
    assert broken["file"] == "broken/broken_test.go"
    assert "declared and not used" in broken["message"]


def test_list__then_tests_and_examples_with_their_places(sandbox: Sandbox, root: Path) -> None:
    shutil.rmtree(root / "broken")
    found = {line["id"]: line for line in sandbox.run("list", root, "--json").lines()}
    assert set(found) == {name for name in ENDS if "▸" not in name}
    last = found["go:cart::TestLast"]
    assert (last["file"], last["line"], last["path"]) == ("cart/cart_test.go", 37, ["cart", "TestLast"])
    assert found["go:cart::ExampleTotal"]["tags"] == ["example"]


def test_rerun__one_test__then_exactly_that_one_runs(sandbox: Sandbox, root: Path, tmp_path: Path) -> None:
    counter = tmp_path / "counter"
    sandbox.environ["FIXTURE_COUNTER"] = str(counter)
    first = sandbox.run("run", root, "-s", "TestLast or TestAdds", "--json")
    assert counter.read_text() == "x"
    again = sandbox.run("rerun", first.run_id(), "-s", "go:cart::TestAdds", "--json")
    assert set(again.verdicts()) == {name for name in ENDS if "TestAdds" in name}
    assert counter.read_text() == "x"
    sandbox.run("rerun", first.run_id(), "-s", "go:cart::TestLast")
    assert counter.read_text() == "xx"


def test_timeout__test_hangs__then_it_alone_is_timed_out(sandbox: Sandbox, root: Path) -> None:
    sandbox.environ["FIXTURE_HANGS"] = "1"
    profile = root / "limits.toml"
    profile.write_text('[suite.g]\nrunner = "go"\npaths = ["cart"]\ntimeout = "2s"\n')
    done = sandbox.run(
        "run", root, "--profile", profile, "-s", "TestHangs or TestLast or TestOpens", "--json"
    )
    assert done.verdicts() == {"go@g:cart::TestHangs": "timedout", "go@g:cart::TestLast": "passed"}
    ends = {line["scenario"]: line for line in done.of("attempt.ended")}
    place = "example.org/shop/cart.TestHangs (cart/cart_test.go:33)"
    assert ends["go@g:cart::TestHangs"]["reason"] == f"ran longer than 2s, its timeout: in {place}"
    (own, *_) = done.of("attempt.stalled")[-1]["stacks"]
    assert (own["current"], own["name"].partition(" [")[2]) == (True, "sleep]")
    assert "time.Sleep" in [frame["function"] for frame in own["frames"]]


def test_output__while_the_test_runs__then_live_and_a_cancel_leaves_nothing(
    sandbox: Sandbox, root: Path
) -> None:
    sandbox.environ["FIXTURE_HANGS"] = "1"
    process = sandbox.start("run", root, "-s", "TestHangs", "--json")
    assert process.stdout is not None
    found = []
    for raw in process.stdout:
        found.append(json.loads(raw))
        if found[-1].get("text") == "it hangs now\n":
            break
    assert found[-1]["scenario"] == "go:cart::TestHangs"
    process.send_signal(signal.SIGINT)
    rest, _ = process.communicate(timeout=60)
    ends = [json.loads(raw) for raw in rest.splitlines()]
    assert [line["verdict"] for line in ends if line["e"] == "attempt.ended"] == ["cancelled"]
    token = json.loads((sandbox.state / "runs" / found[0]["run"] / "run.json").read_text())["nonce"]
    assert processes_with(f"TRACEKIT_RUN_TOKEN={token}") == []


@pytest.mark.parametrize(
    ("words", "ends"),
    [
        (
            ["-run", "TestAdds/one|TestLast"],
            {"TestAdds": "passed", "TestAdds ▸ one_two": "passed", "TestLast": "passed"},
        ),
        (["-skip=Adds|Dies|Panics|Skipped|Example"], {"TestHangs": "passed", "TestLast": "passed"}),
    ],
)
def test_run__arguments_of_gos_choose__then_nothing_else_runs(
    sandbox: Sandbox, root: Path, words: list[str], ends: dict[str, str]
) -> None:
    done = sandbox.run("run", root, "--json", "--", *words)
    told = {name.removeprefix("go:cart::"): word for name, word in done.verdicts().items() if "cart" in name}
    assert told == ends, done.err


BESIDE = """package beside
import ("os"; "testing"; "time")
func TestEnds(t *testing.T) {
\tt.Parallel()
\tif os.Getenv("ENDS") != "" { time.Sleep(50 * time.Millisecond); os.Exit(3) }
}
func TestOne(t *testing.T) { t.Parallel(); time.Sleep(time.Second) }
func TestPanics(t *testing.T) {
\tt.Parallel()
\tif os.Getenv("PANICS") != "" { time.Sleep(50 * time.Millisecond); panic("boom") }
}
"""
SHOWN = """package beside
import "fmt"
func Example_shown() {
\tfmt.Println("hello")
\tfmt.Println("world")
\t// Output:
\t// hello
\t// there
}
"""


@pytest.mark.parametrize(
    ("word", "end"),
    [("ENDS", ("TestEnds", "crashed", "crash")), ("PANICS", ("TestPanics", "failed", "exception"))],
)
def test_run__tests_side_by_side_and_one_ends_the_process__then_it_is_the_only_victim(
    sandbox: Sandbox, root: Path, word: str, end: tuple[str, str, str]
) -> None:
    (root / "beside").mkdir()
    (root / "beside" / "beside_test.go").write_text(BESIDE)
    sandbox.environ[word] = "1"
    sandbox.environ["GOMAXPROCS"] = "4"
    done = sandbox.run("run", root, "-s", "beside", "--json")
    name, verdict, cause = end
    names = ("TestEnds", "TestOne", "TestPanics")
    assert done.verdicts() == {f"go:beside::{one}": verdict if one == name else "passed" for one in names}
    (red,) = [line for line in done.of("attempt.ended") if line["verdict"] == verdict]
    assert red["cause"] == cause
    # What only ran beside it says so, and has run again.
    first = {line["scenario"]: line for line in done.of("attempt.ended") if line["verdict"] == "cancelled"}
    assert (
        "its process" in first["go:beside::TestOne"]["reason"]
        or "process of its" in first["go:beside::TestOne"]["reason"]
    )


def test_run__example_that_prints_something_else__then_both_and_their_difference(
    sandbox: Sandbox, root: Path
) -> None:
    (root / "beside").mkdir()
    (root / "beside" / "shown_test.go").write_text(SHOWN)
    done = sandbox.run("run", root, "-s", "beside", "--json")
    (told,) = done.of("assertion")
    assert (told["expected"], told["actual"]) == ("hello\nthere", "hello\nworld")
    assert told["diff"].splitlines()[1:] == [" hello", "-there", "+world"]
    assert [line["cause"] for line in done.of("failure")] == ["assertion"]


WORDS_OF_TESTS = """package own

import ("flag"; "testing")

var mine = flag.String("mine", "", "")

func TestOne(t *testing.T) { if *mine != "-run=x" { t.Fatal("not told: " + *mine) } }

func TestTwo(t *testing.T) {
	t.Run("kept", func(t *testing.T) {})
	t.Run("part", func(t *testing.T) { t.Fatal("left out") })
}
"""


def test_run__words_for_the_tests_behind_args__then_they_reach_them_and_packages_do_not(
    sandbox: Sandbox,
) -> None:
    root = sandbox.home / "own"
    (root / "below").mkdir(parents=True)
    (root / "go.mod").write_text("module own\n\ngo 1.21\n", encoding="utf-8")
    (root / "below" / "own_test.go").write_text(WORDS_OF_TESTS, encoding="utf-8")
    args = 'args = ["-skip", "TestTwo/part", "-args", "-mine", "-run=x"]'
    (root / "tracekit.toml").write_text(f'[suite.go]\nrunner = "go"\n{args}\n', encoding="utf-8")
    whole = {
        "go@go:below::TestOne": "passed",
        "go@go:below::TestTwo": "passed",
        "go@go:below::TestTwo ▸ kept": "passed",
    }
    for more in ((), ("-j", "2"), ("-s", "go@go:below::TestTwo", "-s", "go@go:below::TestOne")):
        done = sandbox.run("run", root, "--json", *more)
        assert (done.code, done.verdicts()) == (0, whole), done.err


def test_run__a_test_that_logs_before_it_complains__then_the_complaint_is_what_it_says(
    sandbox: Sandbox,
) -> None:
    root = sandbox.home / "words"
    root.mkdir(parents=True)
    (root / "go.mod").write_text("module words\n\ngo 1.21\n", encoding="utf-8")
    body = (
        'func TestLogs(t *testing.T) {\n\tt.Log("begins")\n\tt.Errorf("is wrong")\n\tt.Log("ends")\n}\n'
        'func TestOnlyLogs(t *testing.T) {\n\tt.Log("begins")\n\tt.Logf("is wrong")\n\tt.Fail()\n}\n'
        'func TestPrints(t *testing.T) {\n\tprintln("begins")\n\tprintln("is wrong")\n\tt.FailNow()\n}\n'
    )
    (root / "w_test.go").write_text(f'package words\n\nimport "testing"\n\n{body}', encoding="utf-8")
    done = sandbox.run("run", root, "--json")
    links = {line["scenario"]: line["chain"][0] for line in done.of("failure")}
    said = {name: (link["message"], [at["line"] for at in link["frames"]]) for name, link in links.items()}
    assert said["go:.::TestLogs"] == ("is wrong", [7])
    assert said["go:.::TestOnlyLogs"] == ("is wrong", [12])
    assert said["go:.::TestPrints"][0].startswith("it says nothing of why")
