"""Two Starlette applications to compare with: one echoes, one writes each request to MongoDB itself."""

from __future__ import annotations

import json
import os
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route


async def _echo(request: Request) -> Response:
    return Response(await request.body(), media_type="application/json")


echo = Starlette(routes=[Route("/task/{id}", _echo, methods=["POST"])])


def writer() -> Starlette:
    """One `insert_one` a request, on a majority and journaled. Reads the address from the environment, so that no
    command line shows a password."""
    from motor.motor_asyncio import AsyncIOMotorClient

    client: AsyncIOMotorClient[dict[str, Any]] = AsyncIOMotorClient(
        os.environ["BENCH_MONGO_URL"], w="majority", journal=True
    )
    collection = client[os.environ["BENCH_MONGO_DATABASE"]]["bench_by_api"]

    async def write(request: Request) -> Response:
        body = json.loads(await request.body())
        await collection.insert_one({"_id": request.path_params["id"], "body": body["client_state"]})
        return Response(json.dumps({"server_state": body["client_state"]}), media_type="application/json")

    return Starlette(routes=[Route("/task/{id}", write, methods=["POST"])])
