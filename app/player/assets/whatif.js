// The client of POST /api/preview: sends what-if requests while a slider moves, and hands on the parts of the newest answer.

const PAUSE_MS = 80; // between two requests
const PATIENCE_MS = 500; // for the first part of the request under way, so that a slider that keeps moving shows something
const ADDRESS = "/api/preview";

export class WhatIf {
  // takePart(chunk, seq): a chunk of the newest answer; fail(sentence): there is none.
  constructor({ takePart, fail }) {
    this.takePart = takePart;
    this.fail = fail;
    this.client = crypto.getRandomValues(new Uint32Array(3)).join("-");
    this.seq = 0;
    this.spec = null; // what is asked for: {dataset, data, ratio, method, ...}
    this.points = []; // [[op, x, y], ...]
    this.waiting = false; // something newer is to be sent after the pause
    this.timer = 0;
    this.running = null; // AbortController of the request under way
    this.patientUntil = 0; // when a newer request may end it, in ms of the page
  }

  changeSpec(spec) {
    this.spec = spec;
    this.ask();
  }

  changePoints(points) {
    this.points = points;
    this.ask();
  }

  // Sends at once, or the newest value after the pause: the last one always goes.
  ask() {
    if (!this.spec) return;
    if (this.timer) {
      this.waiting = true;
      return;
    }
    this.send();
    this.pause();
  }

  pause() {
    this.timer = setTimeout(() => {
      this.timer = 0;
      if (!this.waiting) return;
      if (this.running && performance.now() < this.patientUntil) return this.pause();
      this.waiting = false;
      this.ask();
    }, PAUSE_MS);
  }

  stop() {
    clearTimeout(this.timer);
    this.timer = 0;
    this.waiting = false;
    this.running?.abort();
    this.running = null;
    this.seq++;
  }

  async send() {
    this.running?.abort();
    const running = (this.running = new AbortController());
    const seq = ++this.seq;
    const isNewest = () => seq === this.seq;
    this.patientUntil = performance.now() + PATIENCE_MS;
    const take = (chunk) => {
      if (!isNewest()) return;
      this.patientUntil = 0;
      this.takePart(chunk, seq);
    };
    try {
      const body = JSON.stringify({ client: this.client, seq, spec: this.spec, points: this.points });
      const headers = { "Content-Type": "application/json" };
      const answer = await fetch(ADDRESS, { method: "POST", headers, body, signal: running.signal });
      if (!answer.ok) throw new Refusal(await readError(answer));
      await readParts(answer.body, take);
    } catch (error) {
      if (isNewest() && error.name !== "AbortError") this.fail(error instanceof Refusal ? error.message : "");
    } finally {
      if (this.running === running) this.running = null;
    }
  }
}

class Refusal extends Error {}

async function readError(answer) {
  try {
    return String((await answer.json()).error ?? "");
  } catch {
    return "";
  }
}

// Reads a stream of parts, each a u32 length and a chunk.
async function readParts(stream, take) {
  const reader = stream.getReader();
  let kept = new Uint8Array(0);
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    const joined = new Uint8Array(kept.length + value.length);
    joined.set(kept);
    joined.set(value, kept.length);
    const { parts, rest } = splitParts(joined);
    parts.forEach(take);
    kept = rest;
  }
  if (kept.length) throw new RangeError("the answer ends too early");
}

// The whole parts at the start of some bytes, and what is left.
export function splitParts(bytes) {
  const parts = [];
  let at = 0;
  while (bytes.length - at >= 4) {
    const length = new DataView(bytes.buffer, bytes.byteOffset + at).getUint32(0, true);
    if (bytes.length - at - 4 < length) break;
    parts.push(bytes.slice(at + 4, at + 4 + length));
    at += 4 + length;
  }
  return { parts, rest: bytes.slice(at) };
}
