"""The words by which services say what is wrong, as patterns.

All are tried on text that `plain` has made lower case with single blanks for `_`, `-` and white space.
Sources: the ShipAny template, EvoLink, kie.ai, kinovi, AceDataCloud, fal, Replicate, OpenAI.
"""

import re

from batchgen.job import State


def plain(text: str) -> str:
    """The form in which words are compared: `INSUFFICIENT_QUOTA` and "Insufficient quota" are one."""
    return re.sub(r"[\s_\-]+", " ", text[:4000]).strip().lower()


_VOCABULARY = {
    State.QUEUED: "pending queued queueing queuing in_queue waiting submitted created starting preparing"
    " not_start not_started accepted scheduled throttled suspended staged initiated",
    State.RUNNING: "processing in_progress inprogress running generating dreaming rendering uploading"
    " retrying started active",
    State.SUCCEEDED: "success succeed succeeded completed complete done finished ok ready",
    State.FAILED: "fail failed failure error errored rejected nsfw moderated blocked timeout timed_out"
    " create_task_failed generate_failed",
    State.CANCELLED: "cancel canceled cancelled aborted deleted revoked",
    State.EXPIRED: "expired",
}
#: Every status word that is understood, in one spelling (`in_queue`), and what it means.
MEANING = {word: state for state, line in _VOCABULARY.items() for word in line.split()}
#: Those, in `plain` form, of a task that the service has taken: it waits, runs, or has its video already.
ALIVE = frozenset(
    plain(word)
    for word, state in MEANING.items()
    if state in (State.QUEUED, State.RUNNING, State.SUCCEEDED) and word not in ("throttled", "suspended")
)

#: No credits, in words that can mean nothing else.
NO_CREDITS = re.compile(
    r"insufficient (?:\w+ )?(?:credits?|quota|balance|funds?)\b"
    r"|\bnot enough (?:\w+ )?(?:credits?|quota|balance|funds?)\b"
    r"|(?:\bnot|n['’]t) have (?:enough|sufficient) (?:\w+ )?(?:credits?|balance|funds?)\b"
    r"|\b(?:credits?|quota|balance|funds?) (?:is|are) ?(?:not|n['’]t) (?:enough|sufficient)\b"
    r"|\b(?:credits?|quota|balance|funds?) (?:isn|aren)['’]t (?:enough|sufficient)\b|\bquota not enough\b"
    r"|\bexhausted (?:\w+ ){0,3}(?:credits?|balance)\b|\bbilling (?:hard )?limit\b"
    r"|\bresource pack\w* (?:\w+ )?(?:exhausted|depleted)\b"
    r"|\b(?:out|run out|ran out) of (?:\w+ )?(?:credits?|quota|balance|funds?)\b"
    r"|\bno (?:remaining|available|more) (?:credits?|balance|funds?)\b"
    r"|\bno (?:credits?|balance|funds?) (?:left|remaining|available)\b"
    r"|\b(?:credits?|balance|funds?) (?:\w+ ){0,2}"
    r"(?:insufficient|exhausted|not enough|too low|depleted|empty)\b"
    r"|\bused up\b|\bpayment required\b|\bexceeded your current quota\b|\bquota\b.{0,60}\bbilling\b"
    r"|余额不足|积分不足|额度不足|欠费"
)
#: Words that mean no credits unless the answer also speaks of a rate.
PERHAPS_NO_CREDITS = re.compile(
    r"\bplease (?:top ?up|recharge)\b|\b(?:top ?up|recharge) your (?:account|balance|credits?)\b"
    r"|\bsub ?key usage exceeds limit\b"
)
#: The key is not accepted, in words that say so.
BAD_KEY = re.compile(
    r"\b(?:invalid|incorrect|wrong|bad|missing|no|expired|revoked|disabled|unknown|malformed)"
    r" (?:or \w+ )?(?:api|access|auth\w*|bearer|secret) ?(?:key|token)s?\b"
    r"|\b(?:api|access|auth\w*|bearer|secret) ?(?:key|token)s? (?:\w+ ){0,4}"
    r"(?:invalid|incorrect|missing|required|expired|revoked|disabled|not valid|unknown|malformed|suspended"
    r"|deleted)\b"
    r"|^no auth\b|\bplease (?:sign|log) ?in\b"
    r"|\b(?:account|user) (?:\w+ ){0,2}(?:disabled|suspended|banned|frozen|deactivated|blocked)\b"
)
#: Words that mean the key when they are all that is said ("failed to fetch image: 401 Unauthorized" is not).
BAD_KEY_ALONE = re.compile(
    r"(?:unauthori[sz]ed|unauthenticated|authentication (?:error|failed|required)|invalid authentication"
    r"|invalid token|token expired|expired token|no token|missing token|token mismatched|invalid credentials"
    r"|you do not have access permissions)[.!]?"
)
NO_PERMISSION = re.compile(r"(?:no permission|permission (?:error|denied)|forbidden)[.!]?")
#: Too many at once.
TOO_MANY_AT_ONCE = re.compile(
    r"\btoo many (?:active|running|concurrent|pending|simultaneous|parallel|queued|tasks|jobs|generations)\b"
    r"|\bconcurren\w*\b.{0,40}\b(?:limit\w*|reached|exceed\w*|max\w*)"
    r"|\b(?:limit\w*|max\w*|exceed\w*|too many)\b.{0,40}\bconcurren"
    r"|\b(?:active|running|pending) (?:tasks?|jobs?|generations?) (?:\w+ )?(?:limit|reached|exceeded)\b"
)
#: The same, looser: only where the answer is a 429 already.
AT_ONCE_HINT = re.compile(
    r"\bconcurren|\bsimultaneous|\bin parallel\b|\bat the same time\b|\bat once\b"
    r"|\b(?:active|running|pending|unfinished) (?:tasks?|jobs?|generations?|videos?)\b|\btasks? in progress\b"
)
#: Too many a second.
TOO_FAST = re.compile(
    r"\brate ?limit|\btoo many requests\b|\bfrequency (?:is )?too high\b|\btoo frequent|\bthrottled\b"
    r"|\b(?:requests?|calls?) per (?:second|minute|hour)\b|\brequests? too (?:fast|often)\b|过于频繁"
)
TOO_FAST_ALONE = re.compile(r"(?:throttling|resource exhausted|quota exceeded|slow down)[.!]?")
#: The service's own words for a request that it did not carry out (ShipAny template).
NOT_DONE = re.compile(
    r"^invalid (?:params?|parameters?|request|media ?type|provider|ai provider|scene|model|prompt|options?"
    r"|(?:image|video) ?input)\b"
    r"|^(?:\w+ (?:or|and) )?(?:prompt|options|provider|scene|model|media ?type|params|(?:image|video) ?input)"
    r" (?:is|are) required\b"
    r"|^all providers failed\b|^(?:the )?selected ai model is not available\b|^generate(?: \w+)? failed\b"
    r"|^request failed with status:? ?\d{3}\b"
)
#: The request was refused for what it shows.
MODERATED = re.compile(
    r"\bmoderat|\bcontent (?:policy|violation|filter)|\bsafety (?:system|filter|policy)|\bnsfw\b"
    r"|\bsensitive (?:content|words?|information)\b|\bprohibited content\b"
)
#: The service does not know the task.
NO_SUCH_TASK = re.compile(
    r"\btask (?:id )?(?:was |is )?(?:not found|does not exist|unknown)|\bno such task\b"
    r"|\brecordinfo is null\b|\b(?:unknown|invalid) task(?: id)?\b"
)
