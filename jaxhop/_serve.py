"""A page on this machine that follows searches; nothing but looking is possible."""

import contextlib
import dataclasses
import json
import socket
import threading
from collections.abc import Awaitable, Callable
from importlib import resources
from typing import Any

import click
import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from jaxhop._live import Folder

_ADDRESS = "127.0.0.1"
_ASSETS = {
    "/": ("index.html", "text/html"),
    "/page.js": ("page.js", "text/javascript"),
    "/page.css": ("page.css", "text/css"),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
}
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self';"
        " connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


def application(folder: Folder) -> Starlette:
    """The page, its parts, and `/state`, which says as JSON how the searches stand.

    Who asks for another host than this machine is refused, so that a name of somebody else that
    points here is of no use; and no other origin is allowed to read an answer.

    Args:
        folder: the searches.

    Returns:
        An ASGI application.
    """
    alone = threading.Lock()

    def state(request: Request) -> Response:
        del request
        with alone:
            views = [dataclasses.asdict(view) for view in folder.look()]
        return Response(json.dumps(views, allow_nan=False), media_type="application/json")

    routes = [Route(path, _asset(*asset)) for path, asset in _ASSETS.items()]
    hosts = Middleware(
        TrustedHostMiddleware, allowed_hosts=[_ADDRESS, "localhost"], www_redirect=False
    )
    return Starlette(
        routes=[*routes, Route("/state", state)], middleware=[Middleware(_Headers), hosts]
    )


def serve(directory: str, port: int) -> None:
    """Serves the page until Ctrl-C.

    Args:
        directory: of one search, or of several.
        port: where; 0 for any free one.

    Raises:
        ValueError: if there is no such directory, or the port is taken.
    """
    app = application(Folder(directory))
    try:
        listening = socket.create_server((_ADDRESS, port))
    except OSError as error:
        raise ValueError(
            f"`--port {port}`: {error.strerror or error}. Say another one, or `--port 0`."
        ) from None
    with listening:
        where = f"http://{_ADDRESS}:{listening.getsockname()[1]}"
        click.echo(f"{where} shows {directory}; Ctrl-C ends it")
        config = uvicorn.Config(app, log_level="warning", access_log=False, lifespan="off")
        with contextlib.suppress(KeyboardInterrupt):  # how it is left
            uvicorn.Server(config).run([listening])


class _Headers:
    """Adds to all answers what a browser must not do with them."""

    def __init__(self, app: Callable[..., Awaitable[None]]) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answers a request."""

        async def with_headers(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                extra = [(name.lower().encode(), text.encode()) for name, text in _HEADERS.items()]
                message = {**message, "headers": [*message["headers"], *extra]}
            await send(message)

        await self._app(scope, receive, with_headers)


def _asset(name: str, kind: str) -> Callable[[Request], Response]:
    """What answers with a file of the package."""
    data = resources.files("jaxhop").joinpath("_page", name).read_bytes()

    def answer(request: Request) -> Response:
        del request
        return Response(data, media_type=kind)

    return answer
