"""Sign 1: the client who will not sign."""

from app.stories.story import Outcome, Story, billed, month_of_work, on

__all__ = ["CONTRACT_DODGER"]

CONTRACT_DODGER = Story(
    client_id="north-pier-events",
    title="Will not sign a contract",
    paragraph=(
        "North Pier Events got the contract four months ago, has put it off five times and was told twice why it is "
        "needed; three of the refusals came after that. Meanwhile the event comes nearer and the studio works on, by "
        "now for more than a hundred hours without a signature. What was billed was paid."
    ),
    happenings=(
        on(18, "Mon", "10:00", "contract.sent"),
        on(17, "Thu", "16:00", "contract.declined", reason="the lawyer is on holiday"),
        on(15, "Tue", "11:00", "contract.declined", reason="let us begin first"),
        on(14, "Mon", "10:00", "contract.explained"),
        on(13, "Wed", "15:00", "contract.declined", reason="we never sign with anybody"),
        on(9, "Mon", "10:00", "contract.explained"),
        on(8, "Thu", "12:00", "contract.declined", reason="you do not trust us"),
        on(3, "Wed", "12:00", "contract.declined", reason="after the event"),
        *(event for n in range(4) for event in month_of_work(17 - 4 * n, 30)),
        *(event for n in range(3) for event in billed(n + 1, 13 - 4 * n, 3000, 3)),
        *(on(week, "Tue", "11:30", "message.received", channel="chat") for week in range(2, 18, 2)),
    ),
    outcome=Outcome("part", "contract", "contract_dodger", "sign the contract", "sign_contract", "watch"),
)
