"""What an answer meant, once more without the key: decoding may have brought it out again."""

from dataclasses import replace

from batchgen.job import Look, Outcome, OutcomeKind
from batchgen.service import reply
from batchgen.service.secret import Secret


def outcome_without(key: Secret | None, outcome: Outcome) -> Outcome:
    """No text of it holds the key. A doubt's message also says which ids came: it is all that many people see."""
    message = _without(key, outcome.message)
    if outcome.kind is OutcomeKind.IN_DOUBT:
        named = [f"{place} {value}" for place, value in reply.ids_of(outcome.evidence) if value not in message]
        message += f" (ids in the answer: {', '.join(named)})" if named else ""
    headers = {name: _without(key, value) for name, value in outcome.headers.items()}
    return replace(outcome, message=message, code=_without(key, outcome.code), headers=headers)


def look_without(key: Secret | None, look: Look) -> Look:
    """No text of it holds the key, addresses included."""
    status = look.status
    if status is not None:
        status = replace(
            status,
            word=_without(key, status.word),
            error_code=_without(key, status.error_code),
            error=_without(key, status.error),
            video_urls=tuple(_without(key, url) for url in status.video_urls),
        )
    return replace(look, status=status, message=_without(key, look.message))


def _without(key: Secret | None, text: str) -> str:
    return text if key is None else key.redacted(text)
