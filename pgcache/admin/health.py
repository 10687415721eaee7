"""Health checks: ``/healthz`` (the process answers) and ``/readyz`` (clients may come).

Knows nothing of the proxy but one flag. Decides nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from pgcache.admin.site import Access, Request, Response, Site


@dataclass(slots=True)
class Health:
    """What load balancers and orchestrators are told."""

    is_ready: bool = False

    def add_to(self, site: Site) -> None:
        """Serve the two."""
        site.add("GET", "/healthz", self._alive, Access.OPEN)
        site.add("GET", "/readyz", self._ready, Access.OPEN)

    def _alive(self, _request: Request) -> Response:
        return Response.text(200, "ok")

    def _ready(self, _request: Request) -> Response:
        return Response.text(200, "ready") if self.is_ready else Response.text(503, "starting")
