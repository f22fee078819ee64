"""The new client with nothing known."""

from app.stories.story import Outcome, Story, on

__all__ = ["NEWCOMER"]

NEWCOMER = Story(
    client_id="first-light-yoga",
    title="The new client with nothing known",
    paragraph=(
        "First Light Yoga was entered into the CRM last week. Nothing has been sent, agreed, worked or billed yet, so "
        "nothing speaks for or against it: the score is the prior's, and the answer says that there is no evidence."
    ),
    happenings=(on(1, "Wed", "10:00", "client.created", name="First Light Yoga", country="US"),),
    outcome=Outcome("keep", None, "unknown", None),
)
