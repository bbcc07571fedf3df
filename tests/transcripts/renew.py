"""Play the transcripts and write what comes of them in their place: `python tests/transcripts/renew.py [NAME...]`."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from transcripts.playing import VARIABLES, Stage, Transcript, transcripts
from warm_program import WarmProgram


def renew(names: list[str]) -> None:
    """Write the named transcripts anew, or all."""
    os.environ.update(VARIABLES)  # what libraries read while they are loaded
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "warm").mkdir()
        program = WarmProgram(Path(folder) / "warm") if sys.platform == "linux" else None
        stage = Stage(Path(folder), program)
        for path in transcripts():
            if not names or path.stem in names:
                transcript = Transcript.read(path)
                transcript.steps = list(stage.play(transcript))
                path.write_text(transcript.text())
        if program:
            program.close()


if __name__ == "__main__":
    renew(sys.argv[1:])
