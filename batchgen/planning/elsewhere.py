"""Whether what is about to be bought was bought already beside this OUT, and whether this OUT is somebody else's.

A sheet that is downloaded twice has two names, and so two OUTs; two clients' `plan.csv` have one. "Once" is once
per OUT, so both are said before the question, and without a person they stop the run.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from batchgen.errors import UsageError
from batchgen.ledger.sqlite.beside import Beside
from batchgen.ledger.sqlite.store import meta_value, set_meta_value
from batchgen.manifest import Place

#: The folders of the manifests that an OUT was used with, relative to OUT: a project that moves goes on.
_FOLDERS = "manifest_folders"


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """What lies beside an OUT, and whose it is. `another` is the folder of other manifests; "" where it is ours."""

    beside: Beside = field(default_factory=Beside)
    another: str = ""
    service: str = ""

    @property
    def bought(self) -> bool:
        """Whether rows were bought at the same service: at another one they are named, and stop nothing."""
        return any(one.service == self.service for one in self.beside.bought)

    def as_json(self) -> list[dict[str, Any]]:
        """`already_bought_in` of the plan."""
        return [
            {"out": str(one.out), "jobs": one.jobs, "amount": one.unit.number(one.amount)}
            for one in self.beside.bought
        ]

    def sentences(self, out: Path) -> list[str]:
        """What the plan says of it."""
        said = [
            f"warning: {one.jobs:,} of these requests {'was' if one.jobs == 1 else 'were'} bought already in "
            f'"{one.out}" ({one.unit.count(one.amount)})'
            + ("" if one.service == self.service else f", at {one.service}")
            for one in self.beside.bought
        ]
        if self.another:
            said.append(f'warning: "{out}" belongs to manifests in another folder ({self.another})')
        said += [f'note: the ledger in "{out}" could not be asked: {why}' for out, why in self.beside.unread]
        return said


def another_folder(connection: Any, out: Path, paths: Sequence[Place]) -> str:
    """The folder of the manifests that this OUT was used with, if none of these lies there; "" where it is ours.

    An OUT of an earlier version names no folder, and is nobody else's; nor is what lies in OUT itself.
    """
    known = meta_value(connection, _FOLDERS) or []
    ours = _folders(out, paths)
    if not known or not ours or set(known) & set(ours):
        return ""
    return str(known[0])


def remember_folders(connection: Any, out: Path, paths: Sequence[Place]) -> None:
    """Note down where the manifests of this OUT lie."""
    known = meta_value(connection, _FOLDERS) or []
    if new := [folder for folder in _folders(out, paths) if folder not in known]:
        set_meta_value(connection, _FOLDERS, [*known, *new])


def _folders(out: Path, paths: Sequence[Place]) -> list[str]:
    """The folders of manifests that are files, relative to OUT; OUT itself (a results.csv) does not count."""
    here = os.path.realpath(out)
    found = []
    for path in paths:
        if not Path(path).is_file():
            continue
        folder = os.path.dirname(os.path.realpath(path))  # noqa: PTH120 - of the real path, as a text
        if folder == here:
            continue
        try:
            found.append(Path(os.path.relpath(folder, here)).as_posix())
        except ValueError:  # another drive of Windows
            found.append(Path(folder).as_posix())
    return list(dict.fromkeys(found))


def refuse_elsewhere(elsewhere: Elsewhere, out: Path, arguments: Sequence[str]) -> None:
    """Raise UsageError where nobody was asked: rows were bought elsewhere, or OUT is another's."""
    command = "batchgen run " + " ".join(f'"{one}"' if " " in one or "(" in one else one for one in arguments)
    anew = out.with_name(f"{out.name}-2") if elsewhere.another else out
    bought = [one for one in elsewhere.beside.bought if one.service == elsewhere.service]
    if bought:
        most = max(bought, key=lambda one: one.jobs)
        raise UsageError(
            f'{most.jobs:,} of these requests {"was" if most.jobs == 1 else "were"} bought already in "{most.out}" '
            f"({most.unit.count(most.amount)}). Nothing was submitted.",
            code="bought_elsewhere",
            hint=f'To go on there:  {command} --out "{most.out}"   To buy them again:  {command} --out "{anew}"',
        )
    if elsewhere.another:
        raise UsageError(
            f'"{out}" belongs to manifests in another folder ({elsewhere.another}). Nothing was submitted.',
            code="out_of_another",
            hint=f'For a folder of its own:  {command} --out "{anew}"   To go on there:  {command} --out "{out}"',
        )
