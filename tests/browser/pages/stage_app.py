"""stage_page.py with a stand-in for `POST /api/preview`, behind the headers of player_app.py.

A preview has 12 frames; the noise of the request bends its points. A ratio of 200:1 is refused. `GET /api/asked` gives what was
asked for: the bodies, and how many answers were read to their end.
"""

import asyncio
import struct
from pathlib import Path

import streamlit as st
from starlette.middleware import Middleware
from starlette.responses import JSONResponse, StreamingResponse
from starlette.routing import Route

from app.player import encode_chunk
from tests.browser import fake
from tests.browser.pages.player_app import Headers

asked = []
ended = []


async def preview(request):
    body = await request.json()
    asked.append(body)
    if body["spec"]["ratio"] == 200:
        return JSONResponse({"error": "Two others try something just now."}, 429, {"Retry-After": "2"})
    scene, frames = fake.run(12, 30, 0.4 + body["spec"]["data"]["noise"])

    async def parts():
        for first in range(0, 12, 3):
            is_last = first == 9
            more = {"preview": True, "seq": body["seq"]}
            if is_last:
                more |= {
                    "ap": 0.71,
                    "pr": {"recall": [i / 63 for i in range(64)], "precision": [1 - 0.5 * i / 63 for i in range(64)]},
                }
            chunk = encode_chunk(
                f"preview {body['seq']}",
                scene=scene if first == 0 else None,
                scenes=1,
                frames=frames[first : first + 3],
                first=first,
                status="done" if is_last else "running",
                engine_alive=True,
                more=more,
            )
            yield struct.pack("<I", len(chunk)) + chunk
            await asyncio.sleep(0.12)
        ended.append(body["seq"])

    return StreamingResponse(parts(), media_type="application/octet-stream")


async def tell(request):
    return JSONResponse({"asked": asked, "ended": ended})


app = st.App(
    Path(__file__).with_name("stage_page.py"),
    middleware=[Middleware(Headers)],
    routes=[Route("/api/preview", preview, methods=["POST"]), Route("/api/asked", tell)],
)
