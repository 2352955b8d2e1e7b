"""What a single text says before anyone asks what it is for: nothing that can be seen, an error value, a scene.

Readers of all formats ask here, so that a cell of a spreadsheet, a key of a JSON line and a table under `rows:`
are blank, or broken, on the same terms.
"""

import re

from batchgen.job import SCENES

#: Characters that show nothing: blanks, control and format characters, fillers, variation selectors.
UNSEEN = (
    "\x00-\x20\x7f-\xa0\xad\u034f\u061c\u115f\u1160\u1680\u17b4\u17b5\u180b-\u180f\u2000-\u200f\u2028-\u202f"
    "\u205f-\u206f\u2800\u3000\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e0fff"
)
_SEEN = re.compile(f"[^{UNSEEN}]")

#: What a spreadsheet shows in place of a value that it could not work out, in the languages of its menus.
ERRORS = frozenset(
    {
        "#n/a", "#ref!", "#name?", "#value!", "#div/0!", "#num!", "#null!", "#error!", "#spill!", "#calc!",
        "#field!", "#getting_data", "#blocked!", "#connect!", "#busy!", "#unknown!", "#python!", "#external!",
        "#nv", "#bezug!", "#wert!", "#zahl!", "#überlauf!", "#rechnen!",
        "#nom?", "#valeur!", "#nombre!", "#nul!", "#erreur!", "#propagation!",
        "#n/d", "#rif!", "#nome?", "#valore!", "#!rif!", "#!valore!", "#!num!", "#!div/0!", "#err",
        "#¡ref!", "#¿nombre?", "#¡valor!", "#¡div/0!", "#¡num!", "#¡nulo!", "#desbordamiento!",
        "#valor!", "#núm!", "#nulo!", "#adr!", "#arg!", "#liczba!", "#nazwa?", "#verw!", "#waarde!", "#naam?",
        "#getal!", "#leeg!", "#ссылка!", "#знач!", "#имя?", "#число!", "#дел/0!", "#пусто!", "#н/д",
    }
)  # fmt: skip
_OFFICE = re.compile(r"err:[0-9]{3}|#{4,}")  # LibreOffice's numbers; a column that was too narrow


def is_blank(text: str) -> bool:
    """Whether nothing of a text can be seen: such a cell is blank, whatever invisible characters it holds."""
    if not text:
        return True
    return not "!" <= text[0] <= "~" and _SEEN.search(text) is None


def is_error(text: str) -> bool:
    """Whether a text as a whole is the error value of a spreadsheet: `#N/A`, `#WERT!`, `Err:502`."""
    if text[:1] not in "#eE \t\n":  # nearly every text leaves here
        return False
    word = text.strip().casefold()
    return word in ERRORS or _OFFICE.fullmatch(word) is not None


def comment_mark(text: str) -> str:
    """`#` or `//` where a text starts with one: as the first filled cell of a row it switches the row off."""
    bare = text.lstrip()
    if not bare.startswith(("#", "//")) or is_error(text):
        return ""
    return "#" if bare[0] == "#" else "//"


_BETWEEN = re.compile("[\\s_\\-\xad‐-―−⁃﹘﹣－]+")
_NOTHING = re.compile("[\u200b-\u200f\u2060-\u2064\ufeff]+")


def scene_of(text: str) -> str:
    """The scene that a text names, whatever its case, blanks and dashes; another text without its outer blanks.

    `Text to video`, `TEXT_TO_VIDEO`, `text–to–video` are text-to-video; `text2video` stays what it is.
    """
    bare = text.strip()
    if bare in SCENES:
        return bare
    folded = _BETWEEN.sub("-", _NOTHING.sub("", bare).casefold().strip())
    return folded if folded in SCENES else bare
