"""The errors a client can meet, each tied to one HTTP status, in the shape that OpenAI clients read."""

from typing import ClassVar

import msgspec


def error_body(
    message: str,
    *,
    type_: str = "invalid_request_error",
    param: str | None = None,
    code: str | int | None = None,
) -> bytes:
    """The JSON body of an OpenAI error."""
    return msgspec.json.encode({"error": {"message": message, "type": type_, "param": param, "code": code}})


class LaarError(Exception):
    """Base of all errors that reach a client; subclasses fix `http_status`, `type_` and `code`."""

    http_status: ClassVar[int] = 500
    type_: ClassVar[str] = "server_error"
    code: ClassVar[str] = "internal_error"

    # whether laar has tried all that it could, so that a client that retries by itself only repeats that
    is_final: ClassVar[bool] = False

    def __init__(self, message: str, *, param: str | None = None, retry_after_s: int | None = None) -> None:
        super().__init__(message)
        self.param = param
        self.retry_after_s = retry_after_s

    @property
    def headers(self) -> dict[str, str]:
        """What tells a client whether and when to try again."""
        told = {} if self.retry_after_s is None else {"retry-after": str(self.retry_after_s)}
        # OpenAI's clients heed it
        return told | ({"x-should-retry": "false"} if self.is_final else {})

    def body(self) -> bytes:
        return error_body(str(self), type_=self.type_, param=self.param, code=self.code)


class ClientError(LaarError):
    """The request is at fault; sending it again unchanged gives the same answer."""

    http_status = 400
    type_ = "invalid_request_error"
    code = "invalid_value"


class UnknownFieldError(ClientError):
    code = "unknown_field"


class UnknownModelError(ClientError):
    http_status = 404
    code = "model_not_found"


class UnknownRequestError(ClientError):
    """No request of that id came with the same API key."""

    http_status = 404
    code = "request_not_found"


class ForgedRetryError(ClientError):
    """The id of an earlier request that a client brings was not given to it."""

    code = "invalid_retry"


class LogOffError(ClientError):
    """What was asked for needs the attempt log, and the operator has turned it off."""

    code = "log_off"


class BodyTooLargeError(ClientError):
    http_status = 413
    code = "body_too_large"


class EncodedBodyError(ClientError):
    http_status = 415
    code = "unsupported_encoding"


class SlowBodyError(ClientError):
    http_status = 408
    code = "request_timeout"


class ContextLengthError(ClientError):
    code = "context_length_exceeded"


class AuthenticationError(ClientError):
    http_status = 401
    type_ = "authentication_error"
    code = "invalid_api_key"

    @property
    def headers(self) -> dict[str, str]:
        return {"www-authenticate": "Bearer"}


class PermissionDeniedError(ClientError):
    """The key is good, and may not do this."""

    http_status = 403
    type_ = "permission_error"
    code = "permission_denied"


class NotVerifiedError(LaarError):
    """Answers came, none of them was verified, and the operator asked for an error in that case."""

    http_status = 422
    type_ = "unverified_answer"
    code = "unverified_answer"


class NothingNewError(LaarError):
    """A client asked again, and no model is left that could give another answer."""

    http_status = 422
    type_ = "unverified_answer"
    code = "nothing_new"
    is_final = True


class ModelsUnavailableError(LaarError):
    """No model can be asked now."""

    http_status = 503
    code = "models_unavailable"


class ModelsFailedError(ModelsUnavailableError):
    """Every model that could be asked has failed."""

    is_final = True


class LogUnavailableError(LaarError):
    """The attempt log cannot take what it would have to keep."""

    http_status = 503
    code = "log_unavailable"


class OverloadedError(LaarError):
    http_status = 429
    type_ = "rate_limit_error"
    code = "overloaded"


class QuotaError(OverloadedError):
    """A key has used up what is its own; the service is not overloaded."""

    code = "rate_limit_exceeded"


class DeadlineError(LaarError):
    http_status = 504
    is_final = True
    type_ = "timeout"
    code = "deadline_exceeded"


class BrokenStreamError(LaarError):
    """A model failed when its first tokens had gone to the client already; `reason` says how."""

    http_status = 503

    def __init__(self, reason: str) -> None:
        super().__init__(f"the stream broke off: {reason}")
        self._reason = reason

    def body(self) -> bytes:
        return error_body(str(self), type_=self.type_, code=self._reason)


class LateStreamError(BrokenStreamError):
    """It had not ended by the deadline."""

    http_status = 504


class EngineRefusalError(LaarError):
    """The engine's own 4xx, passed on as it stands."""

    def __init__(self, status: int, body: bytes) -> None:
        super().__init__(f"the engine refused the request with status {status}")
        self.status = status
        self._body = body

    def body(self) -> bytes:
        return self._body
