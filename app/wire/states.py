"""States of chronicles as bytes: MessagePack, with the names of the fields, so that a later version can tell them."""

import msgspec

from app.core.facts import Change, Invoice, State

__all__ = ["MessagePackStates"]


class MessagePackStates:
    """Keeps the promise of `app.ports.checkpoints.StateFormat`."""

    version = 2

    def __init__(self) -> None:
        """Compile the types."""
        self._encode = msgspec.msgpack.Encoder().encode
        self._state = msgspec.msgpack.Decoder(State)
        self._invoice = msgspec.msgpack.Decoder(Invoice)
        self._change = msgspec.msgpack.Decoder(Change)

    def dump(self, what: State | Invoice | Change) -> bytes:
        """Write one of them."""
        return self._encode(what)

    def state(self, data: bytes) -> State:
        """Read a state."""
        return self._state.decode(data)

    def invoice(self, data: bytes) -> Invoice:
        """Read an invoice."""
        return self._invoice.decode(data)

    def change(self, data: bytes) -> Change:
        """Read a change."""
        return self._change.decode(data)
