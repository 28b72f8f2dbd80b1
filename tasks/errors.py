"""Every error of Likeness, drawn as one tree; the class decides the fate.

LikenessError
├── TransientError              try again: the world may have changed
│   ├── ServiceUnavailable        a service that we call did not answer
│   └── Interrupted               the work was told to stop (consent, shutdown)
└── PermanentError              never again with these bytes: dead letter, with the reason
    ├── InvalidEvent              not an event that we accept (malformed, unsigned, oversized, unknown type)
    │   └── BadSignature            signed by nobody whom we know for this
    ├── UnusablePhotograph        no garment can be made out of this picture
    ├── UnusableTwin              twin files that are incomplete or do not agree
    ├── ConsentConflict           the same grant version said two things
    ├── NotPermitted              consent says no
    ├── LicenceForbids            weights that may not be used for this
    ├── ChecksFailed              an image or receipt is not what it claims
    ├── NotFound                  no such thing
    └── Misconfigured             a setting or a file of ours is missing or wrong
"""


class LikenessError(Exception):
    """Base of all. `code` is stable and machine-readable, `message` says what, where and what to do."""

    code = "error"

    def __init__(self, message: str, *, code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        if code is not None:
            self.code = code


class TransientError(LikenessError):
    code = "transient"


class ServiceUnavailable(TransientError):
    code = "service_unavailable"


class Interrupted(TransientError):
    code = "interrupted"


class PermanentError(LikenessError):
    code = "permanent"


class InvalidEvent(PermanentError):
    code = "invalid_event"


class BadSignature(InvalidEvent):
    code = "bad_signature"


class UnusablePhotograph(PermanentError):
    code = "unusable_photograph"


class UnusableTwin(PermanentError):
    code = "unusable_twin"


class ConsentConflict(PermanentError):
    code = "consent_conflict"


class NotPermitted(PermanentError):
    code = "not_permitted"


class LicenceForbids(PermanentError):
    code = "licence_forbids"


class ChecksFailed(PermanentError):
    code = "checks_failed"


class NotFound(PermanentError):
    code = "not_found"


class Misconfigured(PermanentError):
    code = "misconfigured"
