"""`{{ variable }}` in a text: Jinja2, sandboxed, strict about names, and without anything that computes.

Only values, a few filters and simple choices are allowed, so that no manifest can loop, multiply a text or
reach into Python. `{%` and `{#` mean nothing: they are text.
"""

import difflib
import json
import re
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any

from batchgen.manifest.entry import shown
from batchgen.manifest.values import BadValue

FILTERS = ("capitalize", "default", "lower", "replace", "title", "trim", "upper")

_SIMPLE = re.compile(r"\{\{\s*([A-Za-z_][A-Za-z0-9_]*)\s*\}\}")


class Template:
    """A compiled text. `names` are the variables that it uses; `render` gives the value.

    A text that is one variable and nothing else has that variable's own value (a number stays a number);
    any other has text, in which true, false and numbers look as they were written.
    """

    __slots__ = ("_render", "names")

    def __init__(self, text: str) -> None:
        whole = _SIMPLE.fullmatch(text)
        if whole:
            name = whole[1]
            self.names: frozenset[str] = frozenset({name})
            self._render: Callable[[Mapping[str, Any]], Any] = lambda variables: variables[name]
            return
        pieces = _SIMPLE.split(text)
        if not any("{{" in piece for piece in pieces[::2]):
            self.names = frozenset(pieces[1::2])
            self._render = lambda variables: "".join(
                spoken(variables[piece]) if index % 2 else piece for index, piece in enumerate(pieces)
            )
            return
        self._render, self.names = _jinja(text)

    def render(self, variables: Mapping[str, Any]) -> Any:
        """The value with these variables. BadValue when the template can't be worked out."""
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


def spoken(value: Any) -> str:
    """A variable inside a text: texts as they are, the rest as YAML would write it."""
    if isinstance(value, str):
        return value
    if isinstance(value, float) or hasattr(value, "_undefined_message"):
        return str(value)  # what is undefined says so here, as an error
    return "" if value is None else json.dumps(value, ensure_ascii=False)


def _jinja(text: str) -> tuple[Callable[[Mapping[str, Any]], Any], frozenset[str]]:
    import jinja2
    from jinja2 import meta

    environment = _environment()
    try:
        tree = environment.parse(text)
    except jinja2.TemplateSyntaxError:
        raise BadValue(
            "bad_template",
            f"What stands between {{{{ and }}}} in {shown(text)} makes no sense, or is not closed.",
            "Write {{ name }}, or {{ '{{' }} for two braces as they are.",
        ) from None
    for node in tree.find_all(jinja2.nodes.Node):
        _allow(node)
    names = frozenset(meta.find_undeclared_variables(tree))
    template = environment.from_string(text)

    def render(variables: Mapping[str, Any]) -> Any:
        try:
            return template.render(variables)
        except (jinja2.TemplateError, TypeError, ValueError, AttributeError) as error:
            message = f"{shown(text)} can't be worked out: {str(error).rstrip('.')}."
            raise BadValue("bad_template", message, "Check the names behind the dots.") from None

    return render, names


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

    return ImmutableSandboxedEnvironment(
        block_start_string="\0%",
        block_end_string="%\0",
        comment_start_string="\0#",
        comment_end_string="#\0",
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # texts for a model, not for a page
        keep_trailing_newline=True,
        finalize=spoken,
    )
