"""The values of a session's settings: what login gave, what is reported, what statements set.

Counterpart: ``context`` feeds this and derives from it, ``layers`` obeys transactions.
Must not know: statements, what follows from the values.
"""

from __future__ import annotations

from typing import Final

from pgcache.policy.layers import DEFAULT, Layers
from pgcache.policy.options import PREFIX
from pgcache.policy.probe import Probe
from pgcache.policy.settings import is_custom, is_ignored, join_names, split_names

TRANSACTION_ONLY: Final = frozenset(
    {"transaction_isolation", "transaction_read_only", "transaction_deferrable"}
)
# Of a role only the user that it makes is told, of the path only the schemas: not their spelling.
_TOLD_BY_EFFECT: Final = frozenset({"role", "search_path"})
_USERS: Final = frozenset({"role", "session_authorization"})
_KEPT_BY_RESET_ALL: Final = TRANSACTION_ONLY | _USERS  # S-06


class Values:
    """What is set, by name. ``layers`` holds what statements set, the rest is under it."""

    __slots__ = ("_base", "_custom", "_reported", "_settled", "_touched", "doubtful", "layers")

    def __init__(self) -> None:
        self.layers = Layers()
        self._base: dict[str, str] = {}  # at login, and after RESET
        self._custom: dict[str, str | None] = {}  # the same of two-part names; None: never set
        self._touched: set[str] = set()  # two-part names ever set: never NULL again (S-04a)
        self._reported: dict[str, str] = {}
        # Names first asked for after login: nobody knows what RESET makes of them. Besides two-part
        # names these are the users, which pg_settings does not tell the defaults of.
        self.doubtful: set[str] = set()
        self._settled: dict[str, str] | None = None  # what these add to ``material``

    # Changing

    def learn(self, probe: Probe) -> None:
        """Take what the session said at login."""
        self._base = {name: _shape(name, text) for name, text in probe.settings.items()}
        self._base["role"] = probe.role
        self._base["session_authorization"] = probe.session_user
        self._custom = dict(probe.custom)
        self._settled = None

    def relearn(self, probe: Probe) -> bool:
        """Take what the session said when everything was asked, outside of a transaction.

        Returns whether all custom names were asked for that were ever set here.
        """
        layers = self.layers
        self._settled = None
        layers.clear()
        layers.put_temporary(probe.has_temporary)
        known = self._base or probe.settings  # never asked at login: the defaults say what was
        for name, default in probe.defaults.items():
            if name in known:  # the configuration may have been reloaded since
                self._base[name] = _shape(name, default)
        self.doubtful |= _USERS - self._base.keys()
        said = {"role": probe.role, "session_authorization": probe.session_user, **probe.settings}
        for name, text in said.items():
            shaped = _shape(name, text)
            if shaped != self._base.setdefault(name, shaped):
                layers.put(name, shaped)
        for name, text in probe.changed.items():
            if name not in self._base:
                self.put(name, text)
        self.doubtful |= probe.custom.keys() - self._custom.keys()
        for name, value in probe.custom.items():
            if value != self._custom.setdefault(name, None):
                self.put(name, value or "")
        forgotten = self._touched - probe.custom.keys() - probe.changed.keys()
        self._touched -= forgotten
        return not forgotten

    def report(self, name: str, value: str) -> bool:
        """Take a ParameterStatus; whether it changed anything."""
        if self._reported.get(name) == value:
            return False
        self._reported[name] = value
        if _is_told(name):
            self._settled = None
        return True

    def put(self, name: str, text: str | None, *, local: bool = False) -> None:
        """Set ``name``, None to its default."""
        if is_custom(name):
            self._touched.add(name)
        local = local or name in TRANSACTION_ONLY
        self.layers.put(name, DEFAULT if text is None else text, local=local)
        if name == "session_authorization":  # SET ROLE NONE goes with it, and RESET with RESET
            self.layers.put("role", DEFAULT if text is None else "none", local=local)

    def reset_all(self) -> None:
        """RESET ALL, which users and the transaction's own modes outlive (S-06)."""
        self.layers.reset_all(_KEPT_BY_RESET_ALL.__contains__)

    def forget_unset(self) -> None:
        """Custom names thought never set may have been set unseen."""
        self._custom = {name: text for name, text in self._custom.items() if text is not None}
        self._settled = None

    # Reading

    def get(self, name: str) -> str | None:
        """The value in force, None where it is not known or a custom name was never set."""
        if name in self._reported:
            return _shape(name, self._reported[name])
        value = self.layers.state.get(name)
        if value is not None and value is not DEFAULT:
            return value
        if not is_custom(name):
            return self._base.get(name)
        default = self._custom.get(name)
        return "" if default is None and name in self._touched else default

    def reported(self, name: str) -> str | None:
        """The value last reported, None if it is not a reported one."""
        return self._reported.get(name)

    def knows(self, name: str) -> bool:
        """Whether ``material`` tells this setting."""
        if is_ignored(name) or name.startswith(PREFIX) or name in _TOLD_BY_EFFECT:
            return False
        if name in self._reported or name in self._base:
            return True
        return is_custom(name) and (name in self._custom or name in self._touched)

    def custom_names(self) -> set[str]:
        """The two-part names that were asked for or ever set."""
        return {*self._custom, *self._touched}

    def users(self) -> tuple[str, str]:
        """The session user and the current user (S-08)."""
        session_user = self.get("session_authorization") or ""
        role = self.get("role") or "none"
        return session_user, session_user if role == "none" else role

    def material(self) -> list[tuple[str, str]]:
        """All that can change a result, by name and in order."""
        if self._settled is None:
            self._settled = self._settle()
        told = self._settled.copy()
        for name in self.layers.state.names() | self._touched:
            value = self.get(name)
            if value is not None and _is_told(name):
                told[name] = value
        users = zip(("session_user", "current_user"), self.users(), strict=True)
        return [*users, *sorted(told.items())]

    def _settle(self) -> dict[str, str]:
        """What login and reports say, which statements seldom change."""
        told = {name: text for name, text in self._custom.items() if text is not None}
        told |= self._base
        told |= {name: _shape(name, text) for name, text in self._reported.items()}
        return {name: text for name, text in told.items() if _is_told(name)}


def _is_told(name: str) -> bool:
    return not (is_ignored(name) or name.startswith(PREFIX) or name in _USERS)


def _shape(name: str, text: str) -> str:
    """Give a value from the origin the form that ``settings.canonical`` gives to a SET."""
    if name != "search_path":
        return text
    try:
        return join_names(split_names(text))
    except ValueError:
        return text
