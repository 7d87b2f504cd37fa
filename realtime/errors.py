"""Every error this program raises on purpose, in one drawing.

PlayheadError                 detail: what happened · hint: what to do
├── BadInput                  a request cannot be understood; `errors` names the fields
│   └── UnknownFormat         its content type is not one we read
├── NotFound                  what was asked for is not here
├── Conflict                  what is there already does not allow it; `errors` names the field
├── Stale                     somebody has changed it since the version that was meant
├── Overtaken                 a producer's batch is older than the last one taken of it
├── Busy                      the queue is full; come back after `retry_after_s`
├── Crowded                   no connection more can be held, or no room more
├── Closing                   the server is stopping
├── BadDial                   a setting cannot be used; names dial, origin and value
└── StorageError              see `storage.errors`
    ├── TooMuch · Absent · StorageFull · StorageBroken · Damaged
    └── NewerDatabase · AlreadyRunning · NotWritable
"""

from collections.abc import Sequence

import msgspec

from storage.errors import (
    Absent,
    AlreadyRunning,
    Damaged,
    NewerDatabase,
    NotWritable,
    PlayheadError,
    StorageBroken,
    StorageError,
    StorageFull,
    TooMuch,
)

__all__ = [
    "Absent",
    "AlreadyRunning",
    "BadDial",
    "BadInput",
    "Busy",
    "Closing",
    "Conflict",
    "Crowded",
    "Damaged",
    "FieldError",
    "NewerDatabase",
    "NotFound",
    "NotWritable",
    "Overtaken",
    "PlayheadError",
    "Stale",
    "StorageBroken",
    "StorageError",
    "StorageFull",
    "TooMuch",
    "UnknownFormat",
]


class FieldError(msgspec.Struct, frozen=True):
    """One member of an RFC 9457 `errors` list; `field` is written like `[3].value`."""

    field: str
    detail: str

    @classmethod
    def of(cls, error: msgspec.ValidationError) -> "FieldError":
        """msgspec's own words, taken apart into the field and what is wrong with it."""
        detail, _, path = str(error).partition(" - at `")
        return cls(path.removesuffix("`").removeprefix("$").removeprefix(".") or "body", detail)


class BadInput(PlayheadError):
    remedy = "Correct the fields named and send it again; sending it unchanged fails again."

    def __init__(self, detail: str, errors: Sequence[FieldError] = (), hint: str = "") -> None:
        super().__init__(detail, hint)
        self.errors = list(errors)


class UnknownFormat(BadInput):
    remedy = "Send application/json or application/msgpack and say so in Content-Type."


class NotFound(PlayheadError):
    remedy = "Check the spelling; the lists name what there is."


class Conflict(PlayheadError):
    remedy = "Look at what is there, and choose another name or change that."

    def __init__(self, detail: str, errors: Sequence[FieldError] = (), hint: str = "") -> None:
        super().__init__(detail, hint)
        self.errors = list(errors)


class Stale(PlayheadError):
    remedy = "Ask for it again, put the change on top of that, and send it with the new version."

    def __init__(self, detail: str, errors: Sequence[FieldError] = (), hint: str = "") -> None:
        super().__init__(detail, hint)
        self.errors = list(errors)


class Overtaken(PlayheadError):
    remedy = (
        "Send a producer's batches one after the other, with numbers that grow; "
        "a producer that counts from the start again takes a new epoch."
    )

    def __init__(self, detail: str, hint: str = "", errors: Sequence[FieldError] = ()) -> None:
        super().__init__(detail, hint)
        self.errors = list(errors)


class Busy(PlayheadError):
    remedy = "Wait as long as Retry-After says and send the same again; nothing of it was kept."

    def __init__(
        self,
        retry_after_s: float = 1.0,
        detail: str = "More is coming in than the disk can take.",
        hint: str = "",
    ) -> None:
        super().__init__(detail, hint)
        self.retry_after_s = retry_after_s


class Crowded(PlayheadError):
    remedy = "Try again in a few seconds; the dials max_connections and max_per_address allow more."

    def __init__(
        self, detail: str = "There are as many connections as there may be.", hint: str = ""
    ) -> None:
        super().__init__(detail, hint)


class Closing(PlayheadError):
    remedy = "Try again once the server is back; nothing of this request was kept."

    def __init__(self, detail: str = "The server is stopping.", hint: str = "") -> None:
        super().__init__(detail, hint)


class BadDial(PlayheadError):
    """`dial` is the setting's name, `origin` where the value came from, `value` as it was given."""

    def __init__(
        self, detail: str, hint: str, dial: str = "", origin: str = "", value: object = None
    ):
        super().__init__(detail, hint)
        self.dial = dial
        self.origin = origin
        self.value = value
