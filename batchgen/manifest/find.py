"""From what a person names on the command line to the manifests: files, folders, patterns, standard input."""

import glob
from collections.abc import Sequence
from pathlib import Path

from batchgen.errors import ManifestError
from batchgen.files import spelled
from batchgen.job import Problem
from batchgen.manifest import packed
from batchgen.manifest.source import ENDINGS, Place, Rows, format_by_name

#: As many files of a folder that are no manifests are named; the others are counted.
NAMED = 20


class Found(list[Place]):
    """The manifests that somebody named, and what is to say of the folders among them."""

    warnings: tuple[Problem, ...] = ()


def find_manifests(arguments: Sequence[str | Rows]) -> Found:
    """The manifests that `arguments` name, in order, each once: files as they are, folders as their files by name.

    "-" stays "-", and rows stay rows. A file that does not exist stays in the list: reading it gives the problem.
    ManifestError when a folder holds none.
    """
    found = Found()
    for argument in arguments:
        path = Path(argument)
        if isinstance(argument, Rows) or argument == "-":
            found.append(argument)
        elif path.is_dir():
            taken, left = _in_folder(path)
            found.extend(taken)
            if left:
                found.warnings = (*found.warnings, _not_read(path, left))
        elif not path.exists() and glob.has_magic(argument):
            found.extend(Path(name) for name in sorted(glob.glob(argument)))  # noqa: PTH207 (absolute patterns too)
        else:
            found.append(path)
    once: dict[str, Place] = {}
    for each in found:
        once.setdefault("-" if each == "-" else str(Path(each).resolve()), each)
    if not found:
        raise ManifestError(
            f"No manifest was found for {spelled(' '.join(map(str, arguments))) or 'this command'}.",
            code="no_manifests",
            hint=f"Name a file ({ENDINGS}), a folder of them, or - for standard input.",
        )
    found[:] = once.values()
    return found


def _in_folder(folder: Path) -> tuple[list[Path], list[str]]:
    """The manifests in a folder, and the names of what else lies there. A text file may be notes: it is taken where
    it is named itself.
    """
    taken, left = [], []
    for path in sorted(folder.iterdir()):
        if path.name.startswith((".", "~$")):
            continue
        if path.is_file() and format_by_name(path.name) and not _may_be_notes(path.name):
            taken.append(path)
        else:
            left.append(spelled(path.name) + ("/" if path.is_dir() else ""))
    if not taken:
        raise ManifestError(
            f'The folder "{spelled(folder)}" holds no manifest.',
            code="no_manifests",
            hint=f"A manifest is a {ENDINGS} file." + (f" Not read: {_some_of(left)}." if left else ""),
        )
    return taken, left


def _may_be_notes(name: str) -> bool:
    return packed.without_ending(name.lower()).endswith(".txt")


def _not_read(folder: Path, left: list[str]) -> Problem:
    return Problem(
        spelled(folder),
        None,
        None,
        None,
        None,
        "not_read",
        f"Not read, for these are no manifests: {_some_of(left)}.",
        "Where one of them is a manifest, name it beside the folder.",
    )


def _some_of(names: list[str]) -> str:
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {more:,} more" if more > 0 else "")
