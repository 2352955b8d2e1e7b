"""A YAML manifest: `version`, `defaults`, `jobs`; read as a stream, one entry of the list after the other."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from batchgen.job import Problem
from batchgen.manifest.entry import Entry, Manifest, shown
from batchgen.manifest.expand import JOB_KEYS, Expander
from batchgen.manifest.feed import Feed
from batchgen.manifest.source import ReadOptions, Unreadable, Utf8Stream, utf8_blocks
from batchgen.manifest.yaml_events import Builder, Keyed, events, keyed

TOP_KEYS = ("version", "defaults", "jobs")
#: Keys of a job whose plain scalars are texts however they look: `id: 012`, `prompt: yes`.
TEXT_KEYS = frozenset({"id", "provider", "model", "scene", "prompt", "image_input", "video_input", "rows", "own"})


_NOT_YAML = re.compile("[^\t\n\r -~\u0085\u00a0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def read_yaml(path: Path | str, manifest: Manifest, options: ReadOptions) -> Iterator[Entry]:
    """The jobs of a YAML manifest, expanded. Unreadable ends it."""
    defaults = _late_defaults(path, options) if _defaults_come_late(path, options) else None
    reader = _Reader(path, manifest, options, events(_stream(path, options)))
    try:
        yield from reader.jobs(defaults)
    except Unreadable as trouble:
        if trouble.code == "bad_character":
            raise _bad_character(path, options) from None
        raise


def read_object(
    path: Path | str, manifest: Manifest, options: ReadOptions, found: Mapping[str, Any]
) -> Iterator[Entry]:
    """The same manifest written in JSON: a dictionary that was read already, without line numbers."""
    reader = _Reader(path, manifest, options, Builder(iter(())))
    for key in found:
        if key not in ("jobs", "defaults"):
            reader.other(key, found[key], None)
    defaults = found.get("defaults") or {}
    if not isinstance(defaults, dict) or not isinstance(found["jobs"], list):
        raise Unreadable("wrong_type", "jobs must be a list of objects, and defaults an object.")
    expander = Expander(path, manifest, options, keyed(defaults))
    for number, item in enumerate(found["jobs"], 1):
        if not isinstance(item, dict):
            raise Unreadable("wrong_type", f"Entry {number} of jobs is {shown(item)}, not an object.")
        yield from expander.expand(keyed(item))


def _stream(path: Path | str, options: ReadOptions) -> Any:
    return Utf8Stream(path, options.encoding)


def _bad_character(path: Path | str, options: ReadOptions) -> Unreadable:
    """Which line holds what YAML does not allow, or is not in its encoding."""
    for number, line in enumerate(Feed(path, options.encoding).lines(), 1):
        if found := _NOT_YAML.search(line):
            message = f"There is a character that YAML does not allow ({ascii(found[0])[1:-1]})."
            return Unreadable("bad_character", message, "Retype the text around it.", line=number)
    return Unreadable("bad_character", "The file holds a character that YAML does not allow.", "Retype it.")


def _defaults_come_late(path: Path | str, options: ReadOptions) -> bool:
    """Whether a key `defaults` may stand behind `jobs`; reads no YAML, only lines."""
    jobs_seen = False
    rest = b""
    for block in utf8_blocks(path, options.encoding):
        *lines, rest = (rest + block).split(b"\n") if not jobs_seen else [rest[-64:] + block]
        text = b"\n".join(lines)
        if not jobs_seen:
            jobs = re.search(rb"^[\"']?jobs[\"']?\s*:", text, re.MULTILINE)
            jobs_seen = jobs is not None
            text = text[jobs.start() :] if jobs else b""
        if jobs_seen and re.search(rb"^[\"']?defaults[\"']?\s*:", text + b"\n" + rest, re.MULTILINE):
            return True
    return False


def _late_defaults(path: Path | str, options: ReadOptions) -> Keyed | None:
    """The defaults of a manifest that states them behind its jobs: one more pass over the file."""
    builder = events(_stream(path, options))
    depth = 0
    while type(event := builder.next()) is not yaml.StreamEndEvent:
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        elif depth == 1 and isinstance(event, yaml.ScalarEvent) and event.value == "defaults":
            start = builder.next()
            builder.nodes = 0
            return _job_mapping(builder, start) if isinstance(start, yaml.MappingStartEvent) else None
    return None


def _job_mapping(builder: Builder, start: Any) -> Keyed:
    """A job or the defaults: texts keep their own spelling, also under `own`."""
    builder.troubles = []
    found = builder.mapping(start, 1, TEXT_KEYS)
    found.troubles = builder.troubles
    if start.anchor:
        builder.anchors[start.anchor] = (found, builder.nodes)
    return found


@dataclass(slots=True)
class _Reader:
    path: Path | str
    manifest: Manifest
    options: ReadOptions
    builder: Builder

    def jobs(self, defaults: Keyed | None) -> Iterator[Entry]:
        """Walk the top level; entries come as their list is read."""
        build = self.builder
        build.next()  # StreamStart
        if type(build.next()) is not yaml.DocumentStartEvent:
            raise Unreadable("no_rows", "The file holds no YAML at all.", "It needs a list of jobs under jobs:.")
        start = build.next()
        if type(start) is yaml.SequenceStartEvent:
            yield from self._list(defaults)
        elif type(start) is yaml.MappingStartEvent:
            yield from self._top(defaults)
        else:
            raise Unreadable(
                "not_a_manifest",
                "The file is not a manifest: it holds a single text.",
                "It needs a list of jobs under jobs:.",
                line=1,
            )
        build.next()  # DocumentEnd
        if type(event := build.next()) is not yaml.StreamEndEvent:
            line = event.start_mark.line + 1
            raise Unreadable(
                "second_document",
                'A second document starts here ("---").',
                "Put it into a file of its own.",
                line=line,
            )

    def _top(self, defaults: Keyed | None) -> Iterator[Entry]:
        build = self.builder
        seen: set[str] = set()
        while type(event := build.next()) is not yaml.MappingEndEvent:
            key = event.value if type(event) is yaml.ScalarEvent else ""
            line = event.start_mark.line + 1
            if key in seen:
                raise Unreadable("duplicate_key", f'The key "{key}" stands twice.', "Keep one of them.", line=line)
            seen.add(key)
            value = build.next()
            build.nodes = 0
            if key == "jobs" and type(value) is yaml.SequenceStartEvent:
                yield from self._list(defaults)
            elif key == "defaults" and type(value) is yaml.MappingStartEvent:
                defaults = _job_mapping(build, value)
                self._file_troubles()
            elif key in ("jobs", "defaults"):
                what = "a list of jobs, each with a dash in front" if key == "jobs" else "a group of keys"
                raise Unreadable("wrong_type", f"{key} must be {what}.", line=line)
            else:
                build.troubles = []
                self.other(key, build.build(value), line)
                self._file_troubles()
        if "jobs" not in seen:
            raise Unreadable("no_rows", 'The manifest has no list "jobs:".', "Add one, a dash before each job.")

    def _file_troubles(self) -> None:
        """What is wrong outside of the jobs is a problem of the whole file."""
        self.manifest.problems.extend(
            Problem(self.manifest.name, None, line, None, None, code, message, hint)
            for line, code, message, hint in self.builder.troubles
        )

    def other(self, key: str, value: Any, line: int | None) -> None:
        """`version`, an `x-` key that holds anchors, or something that is not known."""
        if key == "version":
            if value != 1 or isinstance(value, bool):
                raise Unreadable("bad_version", f"version is {shown(value)}, but 1 is the only one.", line=line)
        elif not key.startswith("x-"):
            import difflib

            close = difflib.get_close_matches(key, TOP_KEYS, 1, 0.6)
            guess = f' Did you mean "{close[0]}"?' if close else ""
            raise Unreadable(
                "unknown_key",
                f"{shown(key)} is not a known key of a manifest.{guess}",
                f"Known are {', '.join(TOP_KEYS)}; keys of your own start with x-.",
                line=line,
            )

    def _list(self, defaults: Keyed | None) -> Iterator[Entry]:
        expander = Expander(self.path, self.manifest, self.options, defaults)
        build = self.builder
        while type(event := build.next()) is not yaml.SequenceEndEvent:
            build.nodes = 0
            line = event.start_mark.line + 1
            if type(event) is yaml.MappingStartEvent:
                yield from expander.expand(_job_mapping(build, event))
                continue
            value = build.build(event)
            if not isinstance(value, Keyed):
                raise Unreadable(
                    "wrong_type",
                    f"An entry of jobs must be a group of keys, not {shown(value)}.",
                    f"Its keys are {', '.join(JOB_KEYS)}.",
                    line=line,
                )
            yield from expander.expand(value)
