"""`tracekit box`: the machines that run tests: add one, list them, look at them, open a shell, take one away."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tracekit.cli import edge, project
from tracekit.wire.problems import Problem, ProblemError

if TYPE_CHECKING:
    from tracekit.config.profile import Environment, Profile
    from tracekit.engine.boxes import Ways
    from tracekit.engine.health import Health

SCHEMA = "tracekit.box/1"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="add|list|check|shell|remove")
    add = verbs.add_parser("add", help="look at a machine and keep it in boxes.toml, for every project")
    add.add_argument("name", metavar="NAME", help="what --env will call it")
    add.add_argument("address", metavar="[USER@]HOST[:PORT]", help="as ssh knows it")
    add.add_argument(
        "--how", choices=("sync", "git", "connect"), help="how projects get there (default: sync)"
    )
    add.add_argument(
        "--prepare", action="append", default=[], metavar="COMMAND", help="run before; repeatable"
    )
    add.add_argument("--keep", action="append", default=[], metavar="PATH", help="what survives; repeatable")
    add.add_argument(
        "--artefact", action="append", default=[], metavar="GLOB", help="what comes back; repeatable"
    )
    add.add_argument("--at", metavar="PATH", help="with --how connect: where the project stands there")
    add.add_argument("--fingerprint", metavar="SHA256:…", help="the only host key that is accepted")
    add.add_argument("--accept-new", action="store_true", help="trust its host key if it is not known yet")
    add.add_argument("--unseen", action="store_true", help="keep it without looking at it")
    listing = verbs.add_parser("list", help="the boxes of this project, and your own")
    check = verbs.add_parser(
        "check", help="is it reachable and well: python, disk, load, clock, live runs, services"
    )
    check.add_argument("names", nargs="*", metavar="NAME", help="only these (default: all)")
    check.add_argument("--accept-new", action="store_true", help="trust a host key that is not known yet")
    shell = verbs.add_parser("shell", help="a shell there, in a run's directory with its variables")
    shell.add_argument("name", metavar="NAME", help="the box")
    shell.add_argument("run", nargs="?", metavar="RUN", help="a run on it: its directory and its variables")
    remove = verbs.add_parser("remove", help="take a box out of boxes.toml")
    remove.add_argument("name", metavar="NAME")
    for each in (add, listing, check, remove):
        each.add_argument("--json", action="store_true", help="one JSON line a box")


def run(args: argparse.Namespace) -> int:
    """Do what the verb says."""
    verbs = {"add": _add, "list": _list, "check": _check, "shell": _shell, "remove": _remove}
    return verbs[args.verb](args)


# -- what is declared


def _root() -> str:
    from tracekit.config import roots

    return roots.find_root(os.path.abspath("."))


def _declared() -> list[Environment]:
    """The boxes of the project here and of the user, in the order of their names; raises ProblemError."""
    return boxes_of(_profile())


def _profile() -> Profile:
    from tracekit.config import loader

    return loader.load(_root(), environ=os.environ, implicit=False).profile


def boxes_of(profile: Profile) -> list[Environment]:
    """The environments behind this machine, in the order of their names."""
    return sorted((each for each in profile.environments if each.remote), key=lambda each: each.name)


def secrets_of(profile: Profile) -> dict[str, str]:
    """What nobody is to read in the words of a service: this machine's secrets, and the profile's."""
    from tracekit.config.plan import known_secrets
    from tracekit.wire.secrets import secrets_in

    found = known_secrets(profile, os.environ)
    for name, value in secrets_in(os.environ).items():
        if found.setdefault(name, value) != value:
            found[f"{name} of this machine"] = value
    return found


def _named(name: str) -> Environment:
    declared = _declared()
    for found in declared:
        if found.name == name:
            return found
    known = ", ".join(each.name for each in declared) or "none"
    raise ProblemError(
        Problem("env.no_box", "no box is called so", name, f"known: {known}; `tracekit box add` adds one")
    )


def _row(found: Environment) -> dict[str, Any]:
    return {
        "name": found.name,
        "host": found.host,
        "user": found.user,
        "port": found.port,
        "how": found.how,
        "declared": found.where,
    }


def address(found: Environment) -> str:
    """Where a box is, as a person types it."""
    user = f"{found.user}@" if found.user else ""
    return f"{user}{found.host}" + (f":{found.port}" if found.port else "")


def _list(args: argparse.Namespace) -> int:
    declared = _declared()
    for found in declared:
        if args.json:
            edge.say_json(SCHEMA, _row(found))
        else:
            edge.say(f"{found.name:16} {address(found):32} {found.how:8} {found.where}")
    if not declared and not args.json:
        edge.say("no boxes; `tracekit box add NAME HOST` adds one")
    return edge.OK


# -- looking


def _check(args: argparse.Namespace) -> int:
    from tracekit.cli import asking
    from tracekit.engine.boxes import Ways

    chosen = [_named(name) for name in dict.fromkeys(args.names)] or _declared()
    if not chosen:
        raise ProblemError(
            Problem("env.no_box", "no box is declared", "", "`tracekit box add NAME HOST` adds one")
        )
    ways = Ways(project.places(), asker=asking.asker(), accept_new=args.accept_new)
    import anyio

    secrets = secrets_of(_profile())
    return edge.OK if anyio.run(_looked_at, ways, chosen, secrets, args.json) else edge.UNREACHABLE


async def _looked_at(
    ways: Ways, chosen: Sequence[Environment], secrets: Mapping[str, str], as_json: bool
) -> bool:
    """Look at all of them at once, and say how each is, in their order, as it is known; whether all are well."""
    import anyio

    seen: dict[int, tuple[Health | None, Sequence[Problem]]] = {}
    told = 0

    async def one(at: int, found: Environment) -> None:
        nonlocal told
        try:
            health = await _health(ways, found, secrets)
            seen[at] = health, health.problems
        except ProblemError as fault:
            seen[at] = None, fault.problems
        while told in seen:
            _say(chosen[told], *seen[told], as_json=as_json)
            told += 1

    async with anyio.create_task_group() as tasks:
        for at, found in enumerate(chosen):
            tasks.start_soon(one, at, found)
    return not any(problems for _, problems in seen.values())


async def _health(ways: Ways, found: Environment, secrets: Mapping[str, str]) -> Health:
    from tracekit.engine.health import look
    from tracekit.engine.relocate import place_between_runs

    link = ways.link(str(found.host), found.user, found.port, found.fingerprint)
    return await look(link, found.name, found.services, place_between_runs(_root(), found), secrets)


def _say(found: Environment, health: Health | None, problems: Sequence[Problem], *, as_json: bool) -> None:
    if as_json:
        told = [problem.to_json() for problem in problems]
        edge.say_json(SCHEMA, {**_row(found), **_facts(health), "ok": not problems, "problems": told})
        return
    if health is not None:
        edge.say(f"{'✗' if problems else '✓'} {found.name:16} {_words(health)}")
    else:
        edge.say(f"✗ {found.name:16} {address(found)}")
    for problem in problems:
        # A hop on the way there is at fault as often as the box itself.
        where = "" if problem.where in {"", found.name, address(found)} else f"{problem.where}: "
        edge.say(f"  {where}{problem.what}")
        edge.say(f"  → {problem.action}")


def _facts(health: Health | None) -> dict[str, Any]:
    if health is None:
        return {}
    names = ("machine", "system", "arch", "libc", "python", "cpus", "memory", "disk", "load")
    facts = {name: health.facts.get(name) for name in names}
    clock = {"offset": round(health.offset, 6), "error": round(health.round_trip / 2, 6)}
    services = [each._asdict() for each in health.services]
    return {**facts, "clock": clock, "live": health.live, **({"services": services} if services else {})}


def _free_gib(facts: dict[str, Any]) -> float:
    disk = facts.get("disk")
    free: int = disk.get("free", 0) if isinstance(disk, dict) else 0
    return free / (1 << 30)


def _words(health: Health) -> str:
    from tracekit.engine import services

    facts = health.facts
    said = [
        f"python {facts.get('python')}",
        f"{facts.get('arch')}, {facts.get('cpus')} cpus, load {facts.get('load')}",
        f"{_free_gib(facts):.1f} GiB free",
        f"clock {health.offset:+.3f} s ± {health.round_trip / 2:.3f}",
        f"answers in {health.took:.1f} s",
    ]
    if health.live:
        said.append(f"live: {', '.join(health.live)}")
    if health.services:
        said.append(services.words(health.services))
    return edge.clean("; ".join(said))


def brief(health: Health) -> str:
    """How a box is, on a part of a line."""
    from tracekit.engine import services

    asked = services.brief(health.services)
    facts = health.facts
    said = [
        f"python {facts.get('python')}",
        f"load {facts.get('load')}",
        f"{_free_gib(facts):.0f} GiB",
        *([f"{len(health.live)} live"] if health.live else []),
        *([asked] if asked else []),
        # Last of all: of a narrow terminal it is the bound that is missed least.
        f"clock {health.offset:+.3f}s ±{health.round_trip / 2:.3f}",
    ]
    return edge.clean(" · ".join(said))


# -- adding and removing


def _add(args: argparse.Namespace) -> int:
    from tracekit.cli import asking
    from tracekit.config import boxes_edit, paths
    from tracekit.engine.boxes import Ways

    keys = _keys(args)
    place = paths.config_files(os.environ)[1]
    before = boxes_edit.read(place)
    text = boxes_edit.added(before, args.name, keys)
    found = _valid(text, args.name)
    if not args.unseen:
        import anyio

        ways = Ways(project.places(), asker=asking.asker(), accept_new=args.accept_new)
        # It has no services yet, whose words could hold a secret.
        health = anyio.run(_health, ways, found, {})
        if not args.json:
            edge.say(f"✓ {args.name:16} {_words(health)}")
    boxes_edit.write(place, text)
    if args.json:
        edge.say_json(SCHEMA, {**_row(found), "declared": place})
    else:
        edge.say(f"kept in {place}; `tracekit run --env {args.name}` runs there")
    return edge.OK


def _valid(text: str, name: str) -> Environment:
    """The box as the reader of profiles sees it; raises ProblemError with every mistake."""
    from tracekit.config import loader

    for found in loader.boxes(text):
        if found.name == name:
            return found
    raise ProblemError(Problem("config.by_hand", "it cannot be read again", name, "write it by hand"))


def _keys(args: argparse.Namespace) -> dict[str, Any]:
    # As a URL it is what `git remote` and browsers show of it.
    user, at, place = args.address.removeprefix("ssh://").rstrip("/").rpartition("@")
    host, colon, port = place.rpartition(":")
    if not colon or not port.isdecimal() or (place.count(":") > 1 and not place.startswith("[")):
        host, port = place, ""
    keys: dict[str, Any] = {"host": host.strip("[]")}
    if at:
        keys["user"] = user
    if port:
        keys["port"] = int(port)
    if args.fingerprint:
        keys["fingerprint"] = args.fingerprint
    if args.how:
        keys["how"] = args.how
    lists = {"prepare": args.prepare, "keep": args.keep, "artefacts": args.artefact}
    keys.update({name: given for name, given in lists.items() if given})
    if args.at:
        keys["path_map"] = {args.at: "."}
    return keys


def _remove(args: argparse.Namespace) -> int:
    from tracekit.config import boxes_edit, paths

    place = paths.config_files(os.environ)[1]
    boxes_edit.write(place, boxes_edit.removed(boxes_edit.read(place), args.name))
    if args.json:
        edge.say_json(SCHEMA, {"name": args.name, "removed": True})
    else:
        edge.say(f"{args.name} is out of {place}")
    return edge.OK


# -- a shell


def _shell(args: argparse.Namespace) -> int:
    import anyio

    from tracekit.cli import asking, once
    from tracekit.engine.boxes import Ways
    from tracekit.engine.plan import variables_again
    from tracekit.link.shell import command, shell
    from tracekit.store.runs import RunStore

    found = _named(args.name)
    directory = ""
    variables: dict[str, str] = {}
    places = project.places()
    if args.run:
        facts = RunStore(places.state).find(args.run).facts()
        plan = facts.get("plan")
        plan = plan if isinstance(plan, dict) else {}
        directory = str(plan.get("root", ""))
        for suite in plan.get("suites", ())[:1]:
            directory = str(suite.get("cwd", directory))
            variables, _ = variables_again(suite, facts, None)
    ways = Ways(places, asker=asking.asker(), once=once.handed())
    link = ways.link(str(found.host), found.user, found.port, found.fingerprint)
    return anyio.run(shell, link, lambda _: command(directory, variables))
