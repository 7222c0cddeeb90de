"""Clients that ask again: what was tried goes out with every answer, signed, and comes back with the next request.

So any router replica that knows the secret goes on where another one was, and none has to remember anything.
"""

import base64
import hashlib
import hmac
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import replace

from deployments.contract.errors import ForgedRetryError
from deployments.contract.secret import Secrets
from deployments.router.attempt.earlier import MAX_STATE_BYTES, NOTHING_EARLIER, Earlier, RetryState, unpacked
from deployments.router.attempt.served_request import ServedRequest
from deployments.router.attempt.tries import FAULTS, Attempt, Status, Tries
from deployments.router.http.request import AUTO, RETRY_FIELD, RoutedRequest

MAX_KEYS, MAX_OF_A_KEY = 1024, 128
_SIGNATURE_BYTES = 12
_STATE = "laar retry state"


class Seal:
    """Signs what an id says. The first secret signs, all of them are accepted, so that they can be exchanged."""

    def __init__(self, secrets: Secrets) -> None:
        self._secrets = secrets

    def sealed(self, state: bytes, request_id: str, tenant: str) -> str:
        """The state and its signature as text; it is of use only to the same request id and tenant."""
        return _text(_signature(self._secrets.keys(_STATE)[0], state, request_id, tenant) + state)

    def opened(self, sealed: str, request_id: str, tenants: Sequence[str]) -> bytes | None:
        """The state, or None if none of the secrets has signed it for this request and one of these ids of a tenant."""
        try:
            both = _bytes(sealed)
        except ValueError:  # no base64
            return None
        signature, state = both[:_SIGNATURE_BYTES], both[_SIGNATURE_BYTES:]
        is_genuine = any(
            hmac.compare_digest(signature, _signature(key, state, request_id, tenant))
            for key in self._secrets.keys(_STATE)
            for tenant in tenants
        )
        return state if is_genuine and len(state) <= MAX_STATE_BYTES else None


class RecentRequests:
    """What was tried for the latest requests of each API key, as one router replica has seen them.

    Bodies are kept as keyed hashes only. One key cannot push out what another one has asked.
    """

    def __init__(self, secret: bytes, *, window_s: float, clock: Callable[[], float]) -> None:
        self._secret, self._window_s, self._clock = secret[:64], window_s, clock
        self._of_key: OrderedDict[str, OrderedDict[bytes, tuple[float, Earlier]]] = OrderedDict()

    def remember(self, body: bytes, api_key_hash: str, tried: Earlier) -> None:
        if not self._window_s:
            return
        latest = self._of_key.setdefault(api_key_hash, OrderedDict())
        self._of_key.move_to_end(api_key_hash)
        latest[name := self._name(body)] = (self._clock(), tried)
        latest.move_to_end(name)
        if len(latest) > MAX_OF_A_KEY:
            latest.popitem(last=False)
        if len(self._of_key) > MAX_KEYS:
            self._of_key.popitem(last=False)

    def found(self, body: bytes, api_key_hash: str) -> Earlier | None:
        """What was tried for the same body within the window."""
        if not (latest := self._of_key.get(api_key_hash)):
            return None
        at_s, tried = latest.get(self._name(body), (0.0, None))
        return tried if self._clock() - at_s <= self._window_s else None

    def _name(self, body: bytes) -> bytes:
        return hashlib.blake2b(body, digest_size=16, key=self._secret).digest()


class Retries:
    """Reads what a request says of earlier ones, and writes what the next one may say of it."""

    def __init__(
        self,
        *,
        models: Sequence[str],
        seal: Seal,
        within_s: float,
        recent: RecentRequests,
        clock: Callable[[], float],
        wall: Callable[[], float],
    ) -> None:
        self._models, self._seal, self._within_s, self._recent = models, seal, within_s, recent
        self._clock, self._wall = clock, wall

    def earlier(self, request: RoutedRequest) -> Earlier:
        """What was tried before, by the request's own word and by the id that it names.

        A retry that comes later than `within_s` after the first request has a clock and attempts of its own.
        Raises ForgedRetryError if that id was not given to this API key by an application with one of the secrets.
        """
        options = request.options
        if options.retry_of is None and not options.tried and request.model == AUTO:
            return self._recent.found(request.body, request.tenant.id) or NOTHING_EARLIER
        named = self._named(request)
        said = {model: max(1, named.wrong.get(model, 0)) for model in options.tried}
        if not said:
            return named
        same = frozenset(said) if request.is_repeatable else frozenset()
        return replace(named, wrong={**named.wrong, **said}, repeating=named.repeating | same)

    def tell(self, served: ServedRequest, answering: str | None) -> None:
        """Put into the request's id what was tried; `answering` is the model whose answer the client gets now.

        Who sends the id back says that this answer was no good.
        """
        log = served.log
        knows_earlier = (log.earlier.wrong or log.earlier.num_attempts) and not log.earlier.is_guess
        if not log.attempts and answering is None and not knows_earlier:
            return
        tried = _tried(log, answering)
        state = RetryState(
            first_at_s=self._wall() - (self._clock() - served.first_s),
            num_attempts=log.earlier.num_attempts + len(log.attempts) + (answering not in (None, *log.answered)),
            sampling=served.request.sampling,
            wrong=tried.wrong,
            repeating=tried.repeating,
            judged=tried.judged,
        )
        sealed = self._seal.sealed(state.packed(), served.request_id, served.api_key_hash)
        served.tried, served.told_id = tuple(tried.wrong), f"{served.request_id}.{sealed}"

    def answered(self, served: ServedRequest, answer: Attempt) -> None:
        """Remember what the client was given, in case it sends the same request again; not what was found correct.

        Once every model would repeat itself there is nothing to remember: the same request begins anew.
        """
        if served.request.model == AUTO and answer.status is not Status.CORRECT:
            tried = _tried(served.log, answer.model)
            is_over = tried.repeating.issuperset(self._models)
            kept = NOTHING_EARLIER if is_over else replace(tried, is_guess=True)
            self._recent.remember(served.request.body, served.api_key_hash, kept)

    def _named(self, request: RoutedRequest) -> Earlier:
        earlier_id, _, sealed = (request.options.retry_of or "").partition(".")
        if not sealed:
            return NOTHING_EARLIER
        packed = self._seal.opened(sealed, earlier_id, request.tenant.ids)
        state = unpacked(packed, self._models, request.sampling) if packed is not None else None
        if state is None:
            message = f"{RETRY_FIELD}: this application did not give this id to this API key, or its secret has changed"
            raise ForgedRetryError(message, param=RETRY_FIELD)
        since_s = max(0.0, self._wall() - state.first_at_s)
        found = Earlier(wrong=state.wrong, repeating=state.repeating, judged=state.judged)
        is_late = since_s > self._within_s
        return found if is_late else replace(found, num_attempts=state.num_attempts, since_s=since_s)


def _tried(log: Tries, answering: str | None) -> Earlier:
    """What the next request may be told to have been tried."""
    wrong, repeating = dict(log.earlier.wrong), set(log.earlier.repeating)
    judged = {attempt.model for attempt in log.attempts if attempt.is_failure}
    if answering is not None and not log.is_verified:
        judged.add(answering)
    for model, times in _answered(log.attempts, answering).items():
        wrong[model] = wrong.get(model, 0) + times
        if log.is_repeatable:
            repeating.add(model)
    return Earlier(wrong=wrong, repeating=frozenset(repeating), judged=log.earlier.judged | judged)


def _answered(attempts: Sequence[Attempt], answering: str | None) -> dict[str, int]:
    """How often each model that answered was wrong, if the client asks again."""
    found: dict[str, int] = {}
    for attempt in attempts:
        if attempt.status not in FAULTS:
            found[attempt.model] = found.get(attempt.model, 0) + attempt.is_failure
    if answering is not None:
        found[answering] = max(1, found.get(answering, 0))
    return found


def _signature(key: bytes, state: bytes, request_id: str, tenant: str) -> bytes:
    told = b"\0".join([request_id.encode(), tenant.encode(), state])
    return hmac.digest(key, told, hashlib.sha256)[:_SIGNATURE_BYTES]


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
