"""The admin address as a list of routes, and who may use which.

Four kinds of access: ``OPEN`` for probes and scrapers; ``READ`` also wants a Host header that no
foreign name can have (DNS rebinding); ``WRITE`` wants the token besides, from the Authorization
header or from the form, and no foreign Origin. ``PROGRAM`` wants the token from the Authorization
header, which no page can send without knowing it, and so takes any Host: jobs call pgcache by
whatever name their network has for it. Without ``admin.token`` nothing can be written.

Counterpart: ``http`` speaks the protocol. Knows nothing of sockets. Decides nothing about caching.
"""

from __future__ import annotations

import hmac
import ipaddress
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass, field
from enum import Enum, auto
from typing import Any
from urllib.parse import parse_qs, urlsplit

import structlog

from pgcache.config.model import AdminConfig
from pgcache.proxy.siblings import REQUEST, Siblings

log = structlog.get_logger("pgcache.admin")

_FORM = "application/x-www-form-urlencoded"


class Refused(Exception):
    """A request that gets no more than a status and a sentence of advice."""

    def __init__(self, status: int, advice: str) -> None:
        super().__init__(advice)
        self.status = status
        self.advice = advice


@dataclass(frozen=True, slots=True)
class Request:
    """One request: ``headers`` by lower-case name, ``query`` and ``form`` by their last value."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def content_type(self) -> str:
        """The body's media type, without parameters."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    @property
    def form(self) -> dict[str, str]:
        """The fields of a form that was sent; empty for any other body."""
        return _fields(self.body.decode("utf-8", "replace")) if self.content_type == _FORM else {}

    def json(self) -> Any:
        """The body as JSON. Raises Refused."""
        try:
            return json.loads(self.body)
        except ValueError as error:
            raise Refused(400, f"the body is no JSON: {error}") from None

    def dump(self) -> dict[str, Any]:
        """As JSON can carry it, for another worker."""
        return {**asdict(self), "body": self.body.hex()}

    @classmethod
    def load(cls, dumped: Mapping[str, Any]) -> Request:
        """What ``dump`` gave."""
        return cls(**{**dumped, "body": bytes.fromhex(dumped["body"])})


@dataclass(frozen=True, slots=True)
class Response:
    """What is sent back."""

    status: int
    body: bytes
    content_type: str = "text/plain; charset=utf-8"
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def text(cls, status: int, text: str) -> Response:
        """One line of plain text."""
        return cls(status, f"{text}\n".encode())

    @classmethod
    def json(cls, status: int, value: object) -> Response:
        """A value as JSON."""
        return cls(status, f"{json.dumps(value)}\n".encode(), "application/json")

    def dump(self) -> dict[str, Any]:
        """As JSON can carry it, for another worker."""
        return {**asdict(self), "body": self.body.hex()}

    @classmethod
    def load(cls, dumped: Mapping[str, Any]) -> Response:
        """What ``dump`` gave."""
        return cls(**{**dumped, "body": bytes.fromhex(dumped["body"])})


class Access(Enum):
    """Who may use a route."""

    OPEN = auto()
    READ = auto()
    WRITE = auto()
    PROGRAM = auto()


Handler = Callable[[Request], Response | Awaitable[Response]]
Dresser = Callable[[Response], Awaitable[Response]]


class Site:
    """The routes. ``add`` one and it is served; ``respond`` finds it.

    With ``siblings``, what is sent by POST is done in all workers, not just in the one that the
    request came to.
    """

    def __init__(self, config: AdminConfig, siblings: Siblings | None = None) -> None:
        self._siblings = siblings
        self._routes: dict[str, dict[str, tuple[Handler, Access]]] = {}
        self._dressers: dict[str, Dresser] = {}
        self.configure(config)

    def configure(self, config: AdminConfig) -> None:
        """Take over who may use it."""
        self._token = None if config.token is None else config.token.get_secret_value().encode()
        self._hosts = {"localhost", *(name.lower() for name in config.hosts)}
        if config.address is not None:
            self._hosts.add(config.address.host.lower())

    def add(self, method: str, path: str, handler: Handler, access: Access) -> None:
        """Serve ``path``; HEAD comes with GET."""
        self._routes.setdefault(path, {})[method] = (handler, access)

    def dress(self, path: str, dresser: Dresser) -> None:
        """Have ``dresser`` show people what is refused at ``path``; programs get one line."""
        self._dressers[path] = dresser

    async def respond(self, request: Request) -> Response:
        """The answer to one request, of all workers; never raises."""
        answer = await self._gather(request)
        dresser = self._dressers.get(request.path)
        is_read = "text/html" in request.headers.get("accept", "")
        if dresser is None or answer.status < 400 or not is_read:
            return answer
        try:
            self._check_host(request)
        except Refused:
            return answer  # whoever sent it is shown nothing more
        return await dresser(answer)

    async def _gather(self, request: Request) -> Response:
        if self._siblings is None or request.method != "POST":
            return await self._respond(request)
        parts = await self._siblings.ask(REQUEST, request.dump())
        answers = [Response.load(part.payload) for part in parts if part.error is None]
        if not answers:
            return Response.text(503, "no worker answers")
        # A table that one worker knows is known: the kindest answer says what was done.
        return min(answers, key=lambda answer: answer.status)

    async def answer(self, payload: Any) -> dict[str, Any]:
        """This worker's part of another one's ``respond``."""
        return (await self._respond(Request.load(payload))).dump()

    async def _respond(self, request: Request) -> Response:
        try:
            handler, access = self._find(request)
            if access in (Access.READ, Access.WRITE):
                self._check_host(request)
            if access in (Access.WRITE, Access.PROGRAM):
                self._check_token(request, by_form=access is Access.WRITE)
            answer = handler(request)
            return answer if isinstance(answer, Response) else await answer
        except Refused as refused:
            return Response.text(refused.status, refused.advice)
        except Exception:
            log.exception("request failed", path=request.path)
            return Response.text(500, "this failed; the log says why")

    def _find(self, request: Request) -> tuple[Handler, Access]:
        methods = self._routes.get(request.path)
        if methods is None:
            raise Refused(404, f"known are {', '.join(sorted(self._routes))}")
        found = methods.get("GET" if request.method == "HEAD" else request.method)
        if found is None:
            raise Refused(405, f"use {' or '.join(sorted(methods))}")
        return found

    def _check_host(self, request: Request) -> None:
        """A page of somebody else's, whose name was made to lead here, still says its name."""
        name = _host_name(request.headers.get("host", ""))
        if name not in self._hosts and not _is_address(name):
            raise Refused(403, f'the name "{name}" is not known here; list it in admin.hosts')

    def _check_token(self, request: Request, *, by_form: bool) -> None:
        origin = request.headers.get("origin")
        if origin is not None and urlsplit(origin).netloc != request.headers.get("host"):
            raise Refused(403, "requests from other sites are not taken")
        if self._token is None:
            raise Refused(403, "set admin.token to allow this")
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        token = given.strip() if scheme.lower() == "bearer" else ""
        if not token and by_form:
            token = request.form.get("token", "")
        if not hmac.compare_digest(token.encode(), self._token):
            log.warning("wrong admin token", path=request.path)
            raise Refused(401, "wrong token; send Authorization: Bearer TOKEN (admin.token)")


def parse_target(target: str) -> tuple[str, dict[str, str]]:
    """A request's target as path and query."""
    path, _, query = target.partition("?")
    return path, _fields(query)


def _fields(text: str) -> dict[str, str]:
    return {
        name: values[-1]
        for name, values in parse_qs(text, keep_blank_values=True, max_num_fields=100).items()
    }


def _host_name(host: str) -> str:
    try:
        return (urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:
        return host.lower()


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
