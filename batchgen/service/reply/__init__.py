"""What did the answer mean: an HTTP answer -> Outcome of a POST, or Look at a task. Pure.

All vendor words, envelopes and hiding places end here. `create` holds the table of a POST's outcomes,
`task` the reading of a task, `urls` where videos hide, `signs` and `complaint` what structure says, `words` words.
"""

from batchgen.service.reply.create import outcome
from batchgen.service.reply.signs import ids_of
from batchgen.service.reply.task import is_the_service, look

__all__ = ["ids_of", "is_the_service", "look", "outcome"]
