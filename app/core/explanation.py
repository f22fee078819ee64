"""The explanation: an assessment in words that a person would use."""

from app.core.assessment import SignAssessment

__all__ = ["sentence_of"]


def sentence_of(part: SignAssessment) -> str:
    """One plain sentence that says why a sign weighs what it weighs, with the measured figures in it."""
    template = part.sign.sentences[part.weighed.reason]
    figures = {name: figure.value for name, figure in part.weighed.figures.items()}
    return template.format(**figures, **part.weighed.words)
