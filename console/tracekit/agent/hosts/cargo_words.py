"""A suite's arguments as `cargo test` reads them: which packages and targets they choose, and what is for the programs.

Pure: words and what `cargo metadata` says in, choices out. It starts nothing.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

# Arguments of `cargo test` that choose targets: where one is given there are no documentation tests. Each with the
# kinds it means.
_LIBRARY = ("lib", "rlib", "dylib", "cdylib", "staticlib", "proc-macro")
_CHOOSES: Mapping[str, tuple[str, ...]] = {
    "--lib": _LIBRARY,
    "--bin": ("bin",),
    "--bins": ("bin",),
    "--test": ("test",),
    "--tests": (),
    "--bench": ("bench",),
    "--benches": ("bench",),
    "--example": ("example",),
    "--examples": ("example",),
    "--all-targets": (),
}
#: Those of them that are followed by a name.
_NAMED = ("--bin", "--test", "--bench", "--example")
_PACKAGES = ("-p", "--package", "--exclude", "--workspace", "--all")
# Arguments of cargo's that are followed by a value of theirs, where it does not stand behind `=`.
_VALUED = frozenset(
    {
        *_NAMED,
        "-p",
        "--package",
        "--exclude",
        "-F",
        "--features",
        "-j",
        "--jobs",
        "--profile",
        "--target",
        "--target-dir",
        "--manifest-path",
        "--lockfile-path",
        "--message-format",
        "--color",
        "--config",
        "-Z",
        "-C",
    }
)
_FEATURES = ("-F", "--features")
_PROFILE = ("--release", "-r", "--profile")
_FILTERS = frozenset({"-E", "--filterset", "--filter-expr"})


@dataclass(frozen=True)
class Words:
    """A suite's arguments, as `cargo test` reads them: its own, and behind `--` those of the programs."""

    cargo: tuple[str, ...]
    tests: tuple[str, ...]
    #: Filters in nextest's language, which cargo itself does not know.
    filtersets: tuple[str, ...] = ()

    @classmethod
    def of(cls, args: Sequence[str]) -> Words:
        """Cut them at the first `--`; a name before it is for the programs, as cargo hands it on."""
        words = list(args)
        at = words.index("--") if "--" in words else len(words)
        own: list[str] = []
        names: list[str] = []
        filtersets: list[str] = []
        # What only says how many failures are too many, or what to do with a build, is not for a build.
        rest = [word for word in words[:at] if word not in {"--no-run", "--no-fail-fast"}]
        while rest:
            word = rest.pop(0)
            name, equals, value = word.partition("=")
            if name in _FILTERS:
                filtersets.append(value if equals or not rest else rest.pop(0))
            elif word.startswith(("-", "+")):
                own.append(word)
                if not equals and name in _VALUED and rest and not rest[0].startswith("-"):
                    own.append(rest.pop(0))
            else:
                names.append(word)
        return cls(tuple(own), (*names, *words[at + 1 :]), tuple(filtersets))

    @property
    def documentation_only(self) -> bool:
        """Whether only documentation tests are asked for."""
        return "--doc" in self.cargo

    @property
    def documentation(self) -> bool:
        """Whether documentation tests are asked for; a filter of nextest's knows none."""
        return not self.filtersets and (self.documentation_only or not self.chooses)

    def building(self) -> list[str]:
        """The command of cargo that builds what is asked for."""
        return self.as_build(["--lib"]) if self.documentation_only else ["test", "--no-run", *self.cargo]

    def as_build(self, kinds: Sequence[str]) -> list[str]:
        """The same with `cargo build`, which leaves the same programs when it is told of tests' profile."""
        own = [word for word in self.cargo if word != "--doc"]
        profile = () if any(word.partition("=")[0] in _PROFILE for word in own) else ("--profile", "test")
        return ["build", *kinds, *profile, *own]

    @property
    def chooses(self) -> bool:
        """Whether they name targets, or kinds of them."""
        return any(word.partition("=")[0] in _CHOOSES for word in self.cargo)

    def passed(self, *names: str) -> list[str]:
        """Of cargo's arguments these, with their values."""
        return [word for name, value in self._pairs() if name in names for word in _again(name, value)]

    def without_packages(self) -> list[str]:
        """Cargo's arguments but those that choose packages."""
        return [
            word for name, value in self._pairs() if name not in _PACKAGES for word in _again(name, value)
        ]

    def without_choices(self) -> list[str]:
        """Cargo's arguments but those that choose packages or targets."""
        left_out = {*_PACKAGES, *_CHOOSES}
        return [word for name, value in self._pairs() if name not in left_out for word in _again(name, value)]

    def alone(self, package: Mapping[str, Any], more: Sequence[str] = ()) -> str:
        """The command that builds the tests of one package alone, with all that was asked for and means it."""
        own: list[str] = []
        for name, value in self._pairs():
            asked = value.replace(",", " ").split() if name in _FEATURES else []
            known = all(one in package.get("features", {}) or "/" in one for one in asked)
            if known and name not in {*_PACKAGES, *_CHOOSES, "--doc"}:
                own += _again(name, value)
        return shlex.join(["cargo", "test", "--no-run", "-p", str(package["name"]), *more, *own])

    def values(self, *names: str) -> list[str]:
        """What was said behind any of these."""
        return [value for name, value in self._pairs() if name in names and value]

    def wants(self, target: Mapping[str, Any]) -> bool:
        """Whether `cargo test` would run this target of a package."""
        kind, name = str(target["kind"][0]), str(target["name"])
        if self.documentation_only:
            return bool(target.get("doctest"))
        if not self.chooses:
            return bool(target.get("test"))
        for word, value in self._pairs():
            if word not in _CHOOSES:
                continue
            if word == "--all-targets" or (word == "--tests" and target.get("test")):
                return True
            if kind in _CHOOSES[word] and (word not in _NAMED or not value or fnmatchcase(name, value)):
                return True
        return False

    def selected(self, about: Mapping[str, Any], cwd: str) -> list[Mapping[str, Any]]:
        """The packages that `cargo test` would test: those named, all, or those that cargo takes by itself."""
        members = set(map(str, about["workspace_members"]))
        packages = [package for package in about["packages"] if str(package["id"]) in members]
        specs = self.values("-p", "--package")
        if specs:
            return [package for package in packages if any(_means(spec, package) for spec in specs)]
        given = {name for name, _ in self._pairs()}
        if given & {"--workspace", "--all"}:
            left_out = self.values("--exclude")
            return [one for one in packages if not any(_means(spec, one) for spec in left_out)]
        manifests = {os.path.realpath(str(package["manifest_path"])): package for package in packages}
        own = manifests.get(self._manifest(cwd))
        root = os.path.realpath(os.path.join(str(about["workspace_root"]), "Cargo.toml"))
        if own is not None and own is not manifests.get(root):
            return [own]
        default = about.get("workspace_default_members")
        if isinstance(default, list):
            return [package for package in packages if str(package["id"]) in set(map(str, default))]
        return packages if own is None else [own]

    def _manifest(self, cwd: str) -> str:
        """The manifest that cargo finds."""
        for named in self.values("--manifest-path"):
            return os.path.realpath(os.path.join(cwd, named))
        place = os.path.realpath(cwd)
        while not os.path.isfile(os.path.join(place, "Cargo.toml")) and os.path.dirname(place) != place:
            place = os.path.dirname(place)
        return os.path.join(place, "Cargo.toml")

    def _pairs(self) -> Iterable[tuple[str, str]]:
        """Cargo's arguments with their values; a short one may have its value right behind it."""
        rest = list(self.cargo)
        while rest:
            name, equals, value = rest.pop(0).partition("=")
            if not equals and name[:2] in {"-p", "-F", "-j", "-Z"} and len(name) > 2 and name[1] != "-":
                name, value = name[:2], name[2:]
            elif not equals and name in _VALUED and rest and not rest[0].startswith("-"):
                value = rest.pop(0)
            yield name, value


def target_words(target: Mapping[str, Any]) -> list[str]:
    """How `cargo test` is asked for one target of a package."""
    kind, name = str(target["kind"][0]), str(target["name"])
    return ["--lib"] if kind in _LIBRARY else [f"--{kind}", name]


def spec_of(package: Mapping[str, Any]) -> str:
    """What names a package to any cargo, whatever else has its name."""
    return f"{package['name']}:{package['version']}"


def _means(spec: str, package: Mapping[str, Any]) -> bool:
    """Whether a person's word for a package means this one: its name, with a version, a pattern, or its id."""
    name, version = str(package["name"]), str(package["version"])
    if "/" in spec or "#" in spec:
        return spec == str(package["id"]) or spec.partition("#")[2].replace(":", "@") == f"{name}@{version}"
    wanted, _, at = spec.replace("@", ":").partition(":")
    return fnmatchcase(name, wanted) and (not at or version == at or version.startswith(at + "."))


def _again(name: str, value: str) -> list[str]:
    return [name, value] if value and name in _VALUED else [f"{name}={value}"] if value else [name]
