"""From a service's routes and its provider to the application that is served."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Any

from fastapi import APIRouter, FastAPI
from starlette.responses import JSONResponse, Response

from sre_core.secret import Secret
from sre_services import error_responses, openapi
from sre_services.auth import HEALTH_PATH, ApiKeyAuth

TITLES = {
    "kubernetes": "Kubernetes: the state of pods, deployments, nodes, and recent events",
    "logs": "Logs: what the services wrote, searched, counted and grouped",
    "metrics": "Metrics: latency, errors, resources, availability and trends of services",
    "runbooks": "Runbooks: what to do about incidents, and whom to tell",
}
NAMES = tuple(TITLES)


@dataclass(frozen=True)
class Api:
    """A service's routes under its name, with no data behind them yet."""

    name: str
    router: APIRouter

    @classmethod
    def of(cls, name: str) -> Api:
        """Only this service's modules are imported: four services start on two cores."""
        return cls(name, import_module(f"sre_services.{name}.routes").router)

    def document(self) -> dict[str, Any]:
        """The OpenAPI document of its five operations."""
        return openapi.build_document(TITLES[self.name], self.router.routes)


def build_app(api: Api, provider: object, key: Secret) -> FastAPI:
    """The application: the routes over `provider`, behind the key."""
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    app.state.provider = provider
    app.include_router(api.router)
    app.add_api_route(HEALTH_PATH, _health(api.name), methods=["GET"])
    app.add_api_route("/openapi.json", _document(api), methods=["GET"])
    error_responses.install_handlers(app)
    app.add_middleware(ApiKeyAuth, service=api.name, key=key)
    return app


def _health(name: str) -> Any:
    async def health() -> Response:
        return JSONResponse({"status": "ok", "service": name})

    return health


def _document(api: Api) -> Any:
    async def document() -> Response:
        return JSONResponse(api.document())

    return document
