"""The player and the stage: synthetic points moving over the decision surface, drawn on canvases in the browser.

The page sends chunks: what is new since the last one, as raw bytes. `Feed` remembers what a player was sent and makes the next
chunk out of a run's events; `mount_player` mounts a film alone, `mount_stage` one or two films with the precision-recall curve,
the what-if rail and the timeline. The browser keeps what it has; where it finds a gap (a message lost, a page left and entered
again) it asks for a resend, once, through a trigger.

    feed = st.session_state.setdefault("feed", Feed(run_id))
    rows = store.events(run_id, after=feed.after)
    chunk = feed.make_chunk([decode(...) for row in rows], status="running", engine_alive=True)
    feed.after = rows[-1].seq if rows else feed.after
    mount_player(chunk, key="player", on_need=feed.rewind)

JavaScript modules and CSS are served as files, not sent along: Streamlit would repeat inline text at every mount call.
"""

from app.player.chunks import BADGES, Chunk, decode_chunk, encode_chunk, join_chunks, split_chunks
from app.player.feed import Feed
from app.player.mount import ASSETS, HEIGHT, mount_player, mount_stage

__all__ = [
    "ASSETS",
    "BADGES",
    "HEIGHT",
    "Chunk",
    "Feed",
    "decode_chunk",
    "encode_chunk",
    "join_chunks",
    "mount_player",
    "mount_stage",
    "split_chunks",
]
