"""The draft generator: the garment's photograph warped onto the twin and lit. Deterministic, CPU only."""

from collections.abc import Sequence

from tasks.errors import Interrupted
from tasks.imaging.dress import dress
from tasks.imaging.pictures import GeneratedLook, GenerateRequest
from tasks.ports import ShouldStop


class DraftGenerator:
    """Generator port. One look at a time; `should_stop` is asked before each."""

    name = "draft-1"
    commercial_use = True

    def generate(self, requests: Sequence[GenerateRequest], should_stop: ShouldStop) -> list[GeneratedLook]:
        looks = []
        for request in requests:
            if should_stop():
                raise Interrupted("told to stop before a look was generated")
            looks.append(dress(request.twin, request.garment, self.name))
        return looks
