"""Whatever shape the service's answers have, the video that was paid for is collected."""

import pytest
from batch import Start

from batchgen.sandbox.options import STYLES


@pytest.mark.parametrize("style", STYLES)
def test_videos_come_home_and_failures_say_why_in_every_style_of_answers(start: Start, style: str) -> None:
    batch = start(3, style=style, faults=("failed@image_processing_error:*number 2",))
    ended = batch.run()
    assert ended.exit == 1
    assert ended.states == {"failed": 1, "succeeded": 2}
    assert sorted(path.name for path in batch.out.glob("videos/*")) == ["job-1.mp4", "job-3.mp4"]
    assert "The input image could not be read" in batch.line("job-2")["error"]
    batch.check()


@pytest.mark.parametrize("style", ["shipany", "kie", "fal"])
def test_a_task_unknown_at_first_is_asked_again_however_that_is_said(start: Start, style: str) -> None:
    batch = start(1, style=style, faults=("late-404@0.3:#1",))
    assert batch.run().exit == 0
    assert batch.audit.gets > 1
    batch.check()
