"""takeaway_page.py behind the policy of player_app.py, with a `POST /api/preview` that trains nothing: its surface has a hill of the
minority at each added point."""

import asyncio
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import streamlit as st
from starlette.middleware import Middleware
from starlette.responses import StreamingResponse
from starlette.routing import Route

from app.player import encode_chunk
from engine.events import GRID
from engine.spec.points import UNIT
from tests.browser.pages.player_app import Headers
from tests.browser.pages.takeaway_run import CENTRE, HALF, LABELS, make_film


async def preview(request):
    asked = await request.json()
    scene, frames = make_film(12, 40)
    ticks = np.linspace(-1, 1, GRID)
    across, up = np.meshgrid(CENTRE[0] + HALF[0] * ticks, CENTRE[1] + HALF[1] * ticks)
    hills = sum(200 * np.exp(-((across - x / UNIT) ** 2 + (up - y / UNIT) ** 2) / 0.05) for _, x, y in asked["points"])
    frames = [replace(frame, surface=np.clip(frame.surface + hills, 0, 255).astype(np.uint8)) for frame in frames]

    async def parts():
        for number in range(0, len(frames), 4):
            chunk = encode_chunk(
                f"preview-{asked['seq']}",
                scene=None if number else scene,
                scenes=1,
                frames=frames[number : number + 4],
                first=number,
                status="finished" if number + 4 >= len(frames) else "running",
                engine_alive=True,
                labels=LABELS,
                more={"preview": True, "seq": asked["seq"], "ap": 0.5},
            )
            yield struct.pack("<I", len(chunk)) + chunk
            await asyncio.sleep(0.03)

    return StreamingResponse(parts(), media_type="application/octet-stream")


app = st.App(
    Path(__file__).with_name("takeaway_page.py"),
    routes=[Route("/api/preview", preview, methods=["POST"])],
    middleware=[Middleware(Headers)],
)
