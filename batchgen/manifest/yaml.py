"""A YAML manifest: `version`, `defaults`, `jobs`; read as a stream, one entry of the list after the other."""

import codecs
import difflib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from batchgen.job import Problem
from batchgen.manifest.comments import MAY_CUT, Comments
from batchgen.manifest.entry import Entry, Manifest, shown
from batchgen.manifest.expand import JOB_KEYS, Expander
from batchgen.manifest.feed import Feed
from batchgen.manifest.source import ReadOptions, Unreadable, Utf8Stream, encoding_trouble, utf8_blocks
from batchgen.manifest.yaml_events import Builder, Keyed, events, keyed

TOP_KEYS = ("version", "defaults", "jobs")
#: Keys of a job whose plain scalars are texts however they look: `id: 012`, `prompt: yes`.
TEXT_KEYS = frozenset({"id", "provider", "model", "scene", "prompt", "image_input", "video_input", "rows", "own"})


_NOT_YAML = re.compile("[^\t\n\r -~\u0085\u00a0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_CONTROL = bytes(set(range(32)) - set(b"\t\n\r") | {127})


def read_yaml(path: Path | str, manifest: Manifest, options: ReadOptions) -> Iterator[Entry]:
    """The jobs of a YAML manifest, expanded. Unreadable ends it."""
    seen = look_ahead(path, options)
    try:
        defaults = _late_defaults(path, options) if seen.late else None
        comments = Comments(path, options) if seen.may_cut else None
        yield from Walk(path, manifest, options, events(_stream(path, options), comments)).jobs(defaults)
    except Unreadable as trouble:
        raise _of_line(trouble, path, options) from None


def _of_line(trouble: Unreadable, path: Path | str, options: ReadOptions) -> Unreadable:
    """What is not YAML, with a hint from the line itself where it shows what a person meant."""
    if trouble.code != "bad_yaml" or trouble.line is None:
        return trouble
    line = next(islice(Feed(path, options.encoding).lines(), trouble.line - 1, None), "")
    hint = ""
    if re.search(r"\\u[dD][89a-fA-F][0-9a-fA-F]{2}", line):
        hint = "The escape \\ud83d\\ude00 is JSON's: write the character itself, or \\U0001F600."
    elif found := re.match(r"\s*(?:- +)*[\w\"'.-]+:[ \t]+([\"'\[{])", line):
        what = {"[": "bracket", "{": "brace"}.get(found[1], "quote")
        hint = f"The text starts with a {what}: put quotes around all of it, and double those inside."
    return Unreadable(trouble.code, trouble.message, hint or trouble.hint, line=trouble.line)


def read_object(
    path: Path | str, manifest: Manifest, options: ReadOptions, found: Mapping[str, Any]
) -> Iterator[Entry]:
    """The same manifest written in JSON: a dictionary that was read already, without line numbers."""
    reader = Walk(path, manifest, options, Builder(iter(())))
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


class Ahead(NamedTuple):
    """Whether `defaults` may stand behind `jobs`, and whether YAML may take the end of a text for a comment."""

    late: bool
    may_cut: bool


def look_ahead(path: Path | str, options: ReadOptions) -> Ahead:
    """What to know before the jobs are read. Unreadable for bytes that no YAML file may hold.

    One pass over the bytes before any row is read: what the parser would find somewhere in its own buffer ends
    the reading before it begins, so that every way of reading finds the same rows.
    """
    decoder = codecs.getincrementaldecoder("utf-8")("strict")
    jobs = late = may_cut = False
    tail = b""
    try:
        for block in utf8_blocks(path, options.encoding):
            if len(block.translate(None, _CONTROL)) != len(block):
                raise _bad_character(path, options)
            if (not block.isascii() or decoder.getstate()[0]) and _NOT_YAML.search(decoder.decode(block)):
                raise _bad_character(path, options)
            text, tail = tail + block, block[-64:]
            may_cut = may_cut or MAY_CUT.search(text) is not None
            if not jobs and (found := _TOP_JOBS.search(text)):
                jobs, text = True, text[found.start() :]
            late = late or (jobs and _TOP_DEFAULTS.search(text) is not None)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        raise encoding_trouble(path) from None
    return Ahead(late, may_cut)


_TOP_JOBS = re.compile(rb"^[\"']?jobs[\"']?\s*:", re.MULTILINE)
_TOP_DEFAULTS = re.compile(rb"^[\"']?defaults[\"']?\s*:", re.MULTILINE)


def _bad_character(path: Path | str, options: ReadOptions) -> Unreadable:
    """Which line holds what YAML does not allow."""
    for number, line in enumerate(Feed(path, options.encoding).lines(), 1):
        if found := _NOT_YAML.search(line):
            message = f"There is a character that YAML does not allow ({ascii(found[0])[1:-1]})."
            return Unreadable("bad_character", message, "Retype the text around it.", line=number)
    return Unreadable("bad_character", "The file holds a character that YAML does not allow.", "Retype it.")


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
            return job_mapping(builder, start) if isinstance(start, yaml.MappingStartEvent) else None
    return None


def job_mapping(builder: Builder, start: Any) -> Keyed:
    """A job or the defaults: texts keep their own spelling, also under `own`."""
    builder.troubles, builder.cuts = [], []
    found = builder.mapping(start, 1, TEXT_KEYS)
    found.troubles, found.cuts = builder.troubles, builder.cuts
    if start.anchor:
        builder.anchors[start.anchor] = (found, builder.nodes)
    return found


@dataclass(slots=True)
class Walk:
    """One walk through a manifest's events."""

    path: Path | str
    manifest: Manifest
    options: ReadOptions
    builder: Builder
    defaults: Keyed | None = None

    def jobs(self, defaults: Keyed | None) -> Iterator[Entry]:
        """Walk the top level; entries come as their list is read."""
        build = self.builder
        self.defaults = defaults
        build.next()  # StreamStart
        if type(build.next()) is not yaml.DocumentStartEvent:
            raise Unreadable("no_rows", "The file holds no YAML at all.", "It needs a list of jobs under jobs:.")
        start = build.next()
        if type(start) is yaml.SequenceStartEvent:
            yield from self._list()
        elif type(start) is yaml.MappingStartEvent:
            yield from self._top()
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

    def _top(self) -> Iterator[Entry]:
        build = self.builder
        seen: set[str] = set()
        while type(event := build.next()) is not yaml.MappingEndEvent:
            key = build.key(event)
            line = event.start_mark.line + 1
            if key in seen:
                raise Unreadable("duplicate_key", f'The key "{key}" stands twice.', "Keep one of them.", line=line)
            seen.add(key)
            value = build.next()
            build.nodes = 0
            if key == "jobs" and type(value) is yaml.SequenceStartEvent:
                yield from self._list()
            elif key == "defaults" and type(value) is yaml.MappingStartEvent:
                self.defaults = job_mapping(build, value)
                self._file_troubles()
            elif key in ("jobs", "defaults"):
                what = "a list of jobs, each with a dash in front" if key == "jobs" else "a group of keys"
                raise Unreadable("wrong_type", f"{key} must be {what}.", line=line)
            else:
                build.troubles, build.cuts = [], []
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
        self.manifest.warnings.extend(
            Problem(self.manifest.name, None, line, None, None, code, message, hint)
            for line, code, message, hint in self.builder.cuts
        )

    def other(self, key: str, value: Any, line: int | None) -> None:
        """`version`, an `x-` key that holds anchors, or something that is not known."""
        if key == "version":
            if value != 1 or isinstance(value, bool):
                raise Unreadable("bad_version", f"version is {shown(value)}, but 1 is the only one.", line=line)
        elif not key.startswith("x-"):
            close = difflib.get_close_matches(key, TOP_KEYS, 1, 0.6)
            guess = f' Did you mean "{close[0]}"?' if close else ""
            raise Unreadable(
                "unknown_key",
                f"{shown(key)} is not a known key of a manifest.{guess}",
                f"Known are {', '.join(TOP_KEYS)}; keys of your own start with x-.",
                line=line,
            )

    def _list(self) -> Iterator[Entry]:
        expander = Expander(self.path, self.manifest, self.options, self.defaults)
        build = self.builder
        while type(event := build.next()) is not yaml.SequenceEndEvent:
            build.nodes = 0
            if type(event) is yaml.MappingStartEvent:
                yield from expander.expand(job_mapping(build, event))
                continue
            line = event.start_mark.line + 1
            value = build.build(event)
            if not isinstance(value, Keyed):
                raise Unreadable(
                    "wrong_type",
                    f"An entry of jobs must be a group of keys, not {shown(value)}.",
                    f"Its keys are {', '.join(JOB_KEYS)}.",
                    line=line,
                )
            yield from expander.expand(value)
