"""Write docs/stories.md from the stories and the scoring core.

python -m docs.stories
"""

import re
from datetime import UTC, date, datetime
from pathlib import Path

from app.core.reasons import sentence_of
from app.language import speaker
from app.stories import STORIES, events_of
from tests.stories.test_stories import told

FILE = Path(__file__).parent / "stories.md"
MONDAY = date(2026, 11, 23)

_HEAD = """# Ten clients whom everyone can picture

One for each sign of the mission, and four more. They are the demo portfolio of `make run`, tests
(`tests/stories`) and this page, which `python -m docs.stories` writes from them. Each is told in weeks before the
present one; here as of a Monday. What would mend it is what an owner would expect; where it can be done today, the
service finds it.
"""


def render() -> str:
    """The page."""
    found = told(MONDAY, datetime(MONDAY.year, MONDAY.month, MONDAY.day, 8, tzinfo=UTC))
    parts, english = [_HEAD], speaker("en")
    for story in STORIES:
        answer, reasons, outcome = found[story.client_id].assessment, found[story.client_id].reasons, story.outcome
        events = len(list(events_of(story, MONDAY)))
        low, high = answer.interval.low, answer.interval.high
        verdict = f"**{answer.verdict}**, score {answer.score:.0f} ({low:.0f} to {high:.0f})"
        mended = f" What would mend it: {outcome.recourse}." if outcome.recourse else ""
        if outcome.action:
            mended += f" (`{outcome.action}`, to `{outcome.reaches}`)"
        kind = answer.client_type
        likely = f"`{kind.name}`" + (f" ({kind.probability:.0%})" if kind.probability else "")
        telling = [pair for pair in zip(answer.signs, reasons, strict=True) if pair[0].decibans > 0]
        telling.sort(key=lambda pair: -pair[0].decibans)
        parts += [
            f"## {story.title}\n",
            f"`{story.client_id}`, {events} event{'s' if events > 1 else ''}. {story.paragraph}\n",
            f"{verdict}, evidence {answer.evidence_level}; client type {likely}.{mended}\n",
            *(
                f"- {part.sign.name} {part.decibans:+.1f} dB: {english.say(sentence_of(part.sign, reason))}"
                for part, reason in telling
            ),
            "",
        ]
    return re.sub("\n{3,}", "\n\n", "\n".join(parts)).rstrip() + "\n"


if __name__ == "__main__":
    FILE.write_text(render())
