"""`tracekit ci init`: writes a commented workflow that suits the project, and never over one that is there."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from tracekit.cli import edge, project
from tracekit.wire.problems import Problem, ProblemError

SCHEMA = "tracekit.ci/1"
PROVIDERS = ("github",)
_PLACE = Path(".github", "workflows", "tracekit.yml")


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="init")
    init = verbs.add_parser("init", help="write a workflow that suits this project")
    init.add_argument("path", nargs="?", default=".", metavar="PATH", help="the project (default: here)")
    init.add_argument("--provider", choices=PROVIDERS, default=PROVIDERS[0], help="whose workflow it is")
    where = init.add_mutually_exclusive_group()
    where.add_argument("--stdout", action="store_true", help="print it instead of writing it")
    where.add_argument("--force", action="store_true", help="replace the one that is there")
    init.add_argument("--profile", metavar="P", help="a bundled profile, or a profile's file")
    init.add_argument("--json", action="store_true", help="one JSON line: where it was written, and the text")
    init.set_defaults(environment=None)


def run(args: argparse.Namespace) -> int:
    """Write it; raises ProblemError where one stands already."""
    from tracekit.cli.github_job import repository
    from tracekit.cli.workflow import look, workflow
    from tracekit.config import loader

    found = project.project(args, runs=True)
    config = loader.load(found.root, flags={"profile": found.profile}, environ=os.environ)
    # In a job or out of it: the file belongs to the checkout that holds the project.
    top = Path(repository(found.root, {}))
    text = workflow(look(Path(found.root).resolve(), top.resolve(), config.profile.suites))
    place = top / _PLACE
    if not args.stdout:
        _write(place, text, force=args.force)
    if args.json:
        told = {"provider": args.provider, "file": None if args.stdout else str(place), "text": text}
        edge.say_json(SCHEMA, told)
    elif args.stdout:
        for line in text.splitlines():
            edge.say(line)
    else:
        edge.say(f"written: {os.path.relpath(place)}")
        edge.say("read it, change what does not fit, and commit it")
    return edge.OK


def _write(place: Path, text: str, *, force: bool) -> None:
    part = place.with_name(f".{place.name}.{os.getpid()}.part")
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(text, encoding="utf-8")
        if force:
            part.replace(place)
        else:
            # Linking fails where a name is taken, a link to nothing included: nobody's file is ever replaced.
            os.link(part, place)
    except FileExistsError:
        what = "there is a workflow already"
        action = "--stdout prints the new one to compare, --force replaces it"
        raise ProblemError(Problem("cli.exists", what, str(place), action)) from None
    except OSError as fault:
        what = f"cannot be written: {fault.strerror or fault}"
        raise ProblemError(Problem("cli.unwritable", what, str(place), "make the folder writable")) from fault
    finally:
        part.unlink(missing_ok=True)
