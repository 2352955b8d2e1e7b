"""`{{ variable }}` in a text: Jinja2, sandboxed, strict about names, and without anything that computes.

Only values, a few filters and simple choices are allowed, so that no manifest can loop, multiply a text or
reach into Python. `{%` and `{#` mean nothing: they are text. What a text makes is bounded (LONGEST).
"""

import difflib
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any

from batchgen.manifest import filters
from batchgen.manifest.entry import shown
from batchgen.manifest.filters import FILTERS, LONGEST, spoken
from batchgen.manifest.values import BadValue

__all__ = ["FILTERS", "LONGEST", "Template", "check_names", "compiled", "spoken"]

_BRACES = re.compile(r"\{\{.*?\}\}", re.DOTALL)
#: A variable alone between its braces, in any script.
_SIMPLE = re.compile(r"\{\{\s*([^\W\d][^\s{}|.()\[\]'\"~%+*/<>=!,:;-]*)\s*\}\}")


class Template:
    """A compiled text. `names` are the variables that it uses; `render` gives the value.

    A text that is one variable and nothing else has that variable's own value (a number stays a number), and so
    has one whose filter is `int` or `float`; any other has text, in which true, false and numbers look as they
    were written. `alone`: nothing but one pair of braces stands in it, so that a blank leaves no hole.
    """

    __slots__ = ("_render", "alone", "names")

    def __init__(self, text: str) -> None:
        text = _BRACES.sub(lambda found: unicodedata.normalize("NFC", found[0]), text)
        whole = _SIMPLE.fullmatch(text)
        self.alone = whole is not None
        if whole and whole[1].isidentifier():
            name = whole[1]
            self.names: frozenset[str] = frozenset({name})
            self._render: Callable[[Mapping[str, Any]], Any] = lambda variables: variables[name]
            return
        pieces = _SIMPLE.split(text)
        if not any("{{" in piece for piece in pieces[::2]) and all(map(str.isidentifier, pieces[1::2])):
            self.names = frozenset(pieces[1::2])
            self._render = lambda variables: "".join(
                spoken(variables[piece]) if index % 2 else piece for index, piece in enumerate(pieces)
            )
            return
        self._render, self.names, self.alone = _jinja(text)

    def render(self, variables: Mapping[str, Any]) -> Any:
        """The value with these variables. BadValue when the template can't be worked out."""
        filters.begin()
        try:
            return self._render(variables)
        except KeyError as missing:
            check_names([str(missing.args[0])], variables)
            raise


@lru_cache(maxsize=10_000)
def compiled(text: str) -> Template:
    """The template of a text; BadValue where it is none that is allowed."""
    return Template(text)


def check_names(names: Iterable[str], variables: Iterable[str]) -> None:
    """BadValue for the first name that is no variable."""
    known = list(variables)
    for name in sorted(names):
        if name not in known:
            close = difflib.get_close_matches(name, known, 1, 0.6)
            guess = f' Did you mean "{close[0]}"?' if close else ""
            hint = f"Variables here: {', '.join(known)}." if known else "Variables come from matrix: or rows:."
            raise BadValue("undefined_variable", f"There is no variable {shown(name)}.{guess}", hint)


def _jinja(text: str) -> tuple[Callable[[Mapping[str, Any]], Any], frozenset[str], bool]:
    """How to render a text, the variables in it, and whether it is one expression alone."""
    import jinja2
    from jinja2 import meta, nodes

    environment = _environment()
    try:
        tree = environment.parse(text)
    except jinja2.TemplateSyntaxError:
        raise BadValue(
            "bad_template",
            f"What stands between {{{{ and }}}} in {shown(text)} makes no sense, or is not closed.",
            "Write {{ name }}, or {{ '{{' }} for two braces as they are.",
        ) from None
    for node in tree.find_all(nodes.Node):
        _allow(node)
    names = frozenset(meta.find_undeclared_variables(tree))
    outputs = [part for output in tree.find_all(nodes.Output) for part in output.nodes]
    alone = len(outputs) == 1 and not isinstance(outputs[0], nodes.TemplateData)
    if alone and any(found.name in ("int", "float") for found in tree.find_all(nodes.Filter)):
        render = environment.compile_expression(text.strip()[2:-2], undefined_to_none=False)
        return _guarded(text, lambda variables: render(dict(variables))), names, True
    for node in tree.find_all(nodes.Concat):  # each of its parts counts for the length of the text
        node.nodes = [
            nodes.Filter(part, "spoken", [], [], None, None, lineno=node.lineno, environment=environment)
            for part in node.nodes
        ]
    template = environment.from_string(tree)
    return _guarded(text, template.render), names, alone


def _guarded(text: str, render: Callable[[Mapping[str, Any]], Any]) -> Callable[[Mapping[str, Any]], Any]:
    import jinja2

    def guarded(variables: Mapping[str, Any]) -> Any:
        try:
            return render(variables)
        except (jinja2.TemplateError, TypeError, ValueError, AttributeError) as error:
            message = f"{shown(text)} can't be worked out: {str(error).rstrip('.')}."
            raise BadValue("bad_template", message, "Check the names behind the dots.") from None

    return guarded


def _allow(node: Any) -> None:
    from jinja2 import nodes

    harmless = (
        nodes.Template, nodes.Output, nodes.TemplateData, nodes.Name, nodes.Const, nodes.Filter, nodes.Getattr,
        nodes.Getitem, nodes.CondExpr, nodes.Compare, nodes.Operand, nodes.And, nodes.Or, nodes.Not, nodes.Concat,
    )  # fmt: skip
    private = isinstance(node, nodes.Getattr) and node.attr.startswith("_")
    if not isinstance(node, harmless) or private or (isinstance(node, nodes.Filter) and node.name not in FILTERS):
        what = f"the filter {node.name}" if isinstance(node, nodes.Filter) else type(node).__name__.lower()
        what = {"call": "a call", "mul": "a multiplication", "add": "a sum", "getattr": "a hidden name"}.get(
            what, what
        )
        raise BadValue(
            "bad_template",
            f"A {{{{ }}}} may hold a variable, a filter or a choice, but not {what}.",
            f"Filters are {', '.join(FILTERS)}.",
        )


@lru_cache(maxsize=1)
def _environment() -> Any:
    import jinja2
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    made = ImmutableSandboxedEnvironment(
        block_start_string="\0%",
        block_end_string="%\0",
        comment_start_string="\0#",
        comment_end_string="#\0",
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # texts for a model, not for a page
        keep_trailing_newline=True,
        finalize=spoken,
        optimized=False,  # what is put together before there is a row would not be counted
    )
    made.filters = filters.table(made.filters)
    return made
