"""Rows that say of themselves that their video is made: another tool, or a person, has done them already."""

import re
from collections.abc import Mapping
from functools import lru_cache

from batchgen.manifest.names import bare, folded, is_film
from batchgen.manifest.words import UNSEEN

_STATUS = frozenset(
    {"status", "state", "video_status", "video_state", "task_status", "job_status", "progress", "stand", "estado",
     "stato", "statut", "etat", "статус", "状态", "ステータス"}
)  # fmt: skip
_FLAGS = frozenset(
    {"done", "finished", "completed", "complete", "generated", "made", "rendered", "made_already", "already_made",
     "is_done", "erledigt", "fertig", "hecho", "fini", "fatto"}
)  # fmt: skip
#: Words under a status that say that there is nothing left to do. "ready" is none: it may be ready to be made.
_DONE = frozenset(
    {"done", "completed", "complete", "succeeded", "success", "successful", "finished", "generated", "rendered",
     "made", "delivered", "published", "posted", "uploaded", "live", "video done", "✓", "✔", "✅", "☑", "erledigt",
     "fertig", "abgeschlossen", "terminé", "terminée", "fini", "fait", "hecho", "completado", "terminado", "fatto",
     "completato", "finito", "feito", "concluído", "gotowe", "zrobione", "klaar", "gereed", "готово", "сделано",
     "完成", "已完成", "完了"}
)  # fmt: skip
_YES = frozenset({"true", "yes", "y", "x", "1", "1.0", "ja", "oui", "si", "sí", "да", "✓", "✔", "✅", "☑"})

#: RE2: every text of which `says_made` may say yes.
SAYS_MADE = rf"(?i)^[{UNSEEN}]*(?:{'|'.join(map(re.escape, sorted(_DONE | _YES)))})[.!{UNSEEN}]*$|://"


@lru_cache(maxsize=20_000)
def kind_of(column: str) -> str:
    """What a column of the user's own may say of a row: `status`, `flag`, `film`, or nothing ("")."""
    if is_film(column):
        return "film"
    name = folded(bare(column))
    return "status" if name in _STATUS else "flag" if name in _FLAGS else ""


def says_made(kind: str, text: str) -> bool:
    """Whether what stands in a column of such a kind says that the video is there."""
    if kind == "film":
        return re.search("[a-z]://", text, re.IGNORECASE) is not None
    word = text.strip().rstrip(".!").casefold()
    return word in _DONE or (kind == "flag" and word in _YES)


def made_already(cells: Mapping[str, str], *, film_is_input: bool) -> tuple[str, str] | None:
    """The column, and its text, that says that a row's video is made; a film that is the input says nothing."""
    for column, text in cells.items():
        if text and (kind := kind_of(column)) and not (kind == "film" and film_is_input) and says_made(kind, text):
            return column, text
    return None
