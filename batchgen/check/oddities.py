"""Texts that are broken, and texts that are probably not what was meant: decided from the text alone.

`wrong_text` finds what can't be meant in anything that is sent (an error value of a spreadsheet); `odd_text`
what is allowed and odd (a placeholder, letters that a wrong save destroyed). ODD is one pattern in RE2's
spelling that matches every text of which one of the two speaks: what it does not match is certainly plain.
"""

import re
from collections.abc import Iterator

from batchgen.check import rules
from batchgen.manifest.addresses import is_joined
from batchgen.manifest.entry import shown
from batchgen.manifest.words import UNSEEN, is_error

Oddity = tuple[str, str, str]  # code, message, hint

#: Whole texts that stand where somebody, or some program, had nothing to say. Compared in lower case.
PLACEHOLDERS = frozenset(
    {
        "loading...", "loading…", "loading", "[object object]", "undefined", "nan", "none", "null", "nil",
        "<na>", "nat", "n/a", "na", "n.a.", "not available", "todo", "to do", "tbd", "tbc", "tba", "tbw", "fixme",
        "xxx", "xxxx", "placeholder", "prompt here", "your prompt here", "insert prompt here", "insert prompt",
        "enter prompt", "enter your prompt", "prompt goes here", "write prompt", "example prompt", "sample prompt",
        "true", "false",
    }
)  # fmt: skip
#: Words among these that are good values of an option, or a good name.
_FINE_ELSEWHERE = frozenset({"none", "null", "true", "false", "nil", "na", "loading", "xxx", "xxxx", "placeholder"})
#: …but for the spelling in which Python writes its own.
_PYTHON = frozenset({"None", "NaN"})
_FILLER = re.compile(r"lorem ipsum|(?:todo|tbd|tbc|fixme)\s*[:\-–(!.?]", re.IGNORECASE)
_BRACKETED = re.compile(
    r"[<\[{(](?:your |the |insert |enter |add )?(?:prompt|text|description)(?: here)?[>\]})]", re.I
)
_FORMULA = re.compile(
    r"=\s*(?:[A-Za-z_][\w.]*\(|\$?[A-Za-z]{1,3}\$?[0-9]+\b|'[^']+'!|[\w.]+!\$?[A-Za-z]|\"[^\"]*\"\s*&|\{)"
    r"|[+@-][A-Z][A-Z0-9.]*\("
)
_ENTITY = re.compile(r"&(?:amp|lt|gt|quot|apos|nbsp|#[0-9]{2,6}|#[xX][0-9a-fA-F]{2,5});")

_INSIDE = re.compile(r"[^\W\d_]\?[^\W\d_A-Z]")  # Wis?a
_IN_FRONT = re.compile(r"(?:^|\s)\?[^\W\d_]{2}")  # ?wiat
_DOUBLED = re.compile(r"[^\W\d_]\?\?+\s+[^\W\d_A-Z]")  # Wis?? z
_ALONE = re.compile(r"(?:^|\s)\?{2,}\s+[^\W\d_A-Z]")  # A ???? in the snow
_SOFT = re.compile(r"[^\W\d_]\? [^\W\d_A-Z]")  # Caf? at night
_ASKS = re.compile(
    r"\b(?:who|whom|whose|what|why|where|when|which|how|is|are|am|was|were|do|does|did|can|could|will|would|shall|"
    r"should|may|might|must|have|has|had|isn't|aren't|don't|won't|really|ready|ok|okay|right|hungry|guess|"
    r"remember|lost|wer|was|wo|wann|wie|warum|wieso|ist|sind|kann|qui|que|quoi|où|quand|comment|pourquoi|est|"
    r"quién|qué|dónde|cuándo|cómo|chi|che|cosa|dove|perché|come)\b",
    re.IGNORECASE,
)

_ODD_WORDS = (
    r"^(?i:err:|lorem ipsum|n/a|n\.a\.|(?:todo|to do|tbd|tbc|tba|tbw|fixme|loading|undefined|nan|none|null|nil|nat|"
    r"na|not available|x{3,4}|placeholder|(?:your |insert |enter |enter your |write |example |sample )?prompt|true|"
    r"false)\b)"
)
_ODD_SIGNS = r"|\?|&[A-Za-z#][A-Za-z0-9]*;|^[=+@#<\[{(-]|\.0+$"
#: RE2: every text that `wrong_text` or `odd_text` may speak of, and some others; in text, and in ASCII bytes.
ODD = (
    rf"{_ODD_WORDS}{_ODD_SIGNS}|{'|'.join(rules.GARBLED_MARKS)}|^[{UNSEEN}]|[{UNSEEN}]$"
    r"|^[^\pL\pN\x{2190}-\x{10ffff}]*$"
)
ODD_ASCII = rf"{_ODD_WORDS}{_ODD_SIGNS}|^[\x00-\x20\x7f]|[\x00-\x20\x7f]$|^[^A-Za-z0-9]*$"
#: The same for the names in `id`, of which less is said.
ODD_NAME = rf"{_ODD_WORDS}|&[A-Za-z#][A-Za-z0-9]*;|^[#<\[/]"


def wrong_text(text: str) -> Iterator[Oddity]:
    """What no text that is sent can mean: the error value of a spreadsheet in place of a value."""
    if is_error(text):
        yield "error_cell", f"The cell holds the error {text.strip()}.", "Mend the formula that it comes from."


def wrong_address(key: str, address: str) -> Iterator[Oddity]:
    """The same for an address, which can't be two either."""
    yield from wrong_text(address)
    if is_joined(address):
        message = f"{key} holds two addresses in one: {shown(address)}."
        yield "joined_urls", message, "Write a blank between them; inside of one address, write %3A%2F%2F for ://."


def odd_text(key: str, text: str) -> Iterator[Oddity]:
    """What is odd about a text that is sent as `key` (`prompt`, `options.NAME`, `id`, …)."""
    yield from _placeholder(key, text)
    if key == "prompt" and _FORMULA.match(text.lstrip()):
        message = f"{key} is a formula, not what it gives: {shown(text)}."
        yield "formula", message, "Copy the cell and paste it as values, or take the first character away."
    if "&" in text and (entity := _ENTITY.search(text)):
        message = f"{key} holds {entity[0]}, a character as web pages write it: {shown(text)}."
        yield "html_entity", message, "Write the character itself (& for &amp;): nothing is translated."
    if not text.isascii() and (found := rules.GARBLED.search(text)):
        around = text[max(0, found.start() - 10) : found.end() + 10]
        message = f"The prompt looks garbled: {shown(_visible(around))}."
        if key != "prompt":
            message = f"{key} looks garbled: {shown(_visible(around))}."
        hint = "The file was once read in the wrong encoding; export it again as UTF-8."
        yield "garbled", message, hint
    if "?" in text and key in ("prompt", "options.negative_prompt") and has_lost_letters(text):
        message = f"Letters of the {key} were lost, with a ? in place of each: {shown(text)}."
        yield "lost_characters", message, LOST_HINT


def is_odd(key: str, text: str) -> bool:
    """Whether there is anything to say of a text."""
    return any(wrong_text(text)) or any(odd_text(key, text))


LOST_HINT = (
    "That happens when a spreadsheet is saved as plain CSV on Windows, and can't be undone in this file. "
    'Save it again from the spreadsheet as "CSV UTF-8", or as .xlsx.'
)


def has_lost_letters(text: str) -> bool:
    """Whether question marks stand where letters were: `???????`, `Wis??a`, `?wiat`. Questions are not meant."""
    bare = " ".join(word for word in text.split() if "://" not in word)
    if not any(mark.isalnum() for mark in bare):
        return bare.count("?") > 1
    if any(pattern.search(bare) for pattern in (_INSIDE, _IN_FRONT, _DOUBLED, _ALONE)):
        return True
    return any(not _ASKS.search(_clause(bare, found.start() + 1)) for found in _SOFT.finditer(bare))


def _clause(text: str, end: int) -> str:
    """The words in front of a question mark, back to the sentence before."""
    return re.split(r"[.!?]", text[max(0, end - 300) : end])[-1]


def _placeholder(key: str, text: str) -> Iterator[Oddity]:
    word = text.strip()
    folded = word.casefold()
    listed = folded in PLACEHOLDERS and (key == "prompt" or folded not in _FINE_ELSEWHERE or word in _PYTHON)
    says_nothing = key == "prompt" and word != "" and not any(c.isalnum() or _is_picture(c) for c in word)
    if listed or (key == "prompt" and (_FILLER.match(word) or _BRACKETED.fullmatch(word))):
        message = f"{key} is {shown(word)}: that looks like a placeholder."
        yield "placeholder", message, "Write what is meant, or leave the cell blank."
    elif says_nothing and word.count("?") < 2:
        message = f"{key} is {shown(word)}: there is no word in it."
        yield "placeholder", message, "Write what is meant, or leave the cell blank."
    elif key.startswith("options.") and re.fullmatch(r"-?[0-9]+\.0+", word):
        message = f"{key} is {shown(word)}, as pandas writes a whole number beside a gap."
        hint = f"If {word.split('.')[0]} is meant, write that, or name the column {key}:int. It is sent as it is."
        yield "float_text", message, hint


def _is_picture(mark: str) -> bool:
    """Emoji and other signs that say something alone."""
    return ord(mark) > 0x2190


def _visible(text: str) -> str:
    """Control characters as their codes: they are what the message is about."""
    return "".join(mark if mark.isprintable() else ascii(mark)[1:-1] for mark in text)
