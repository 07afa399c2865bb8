// Writes a film as one chunk, which `Film` in data.js reads again: what app/player/chunks.py does, in the browser.

import { GRID } from "./units.js";

// The bytes of a whole film. more: further keys of its head.
export async function packFilm(film, more = {}) {
  const { scene, frames, contributions } = film;
  const phases = [...new Set(frames.map(({ phase }) => phase))];
  const head = {
    ...film.head, first: 0, scenes: 1, status: film.status, alive: true, phases, labels: film.labels,
    phase: frames.map(({ phase }) => phases.indexOf(phase)),
    epoch: frames.map(({ epoch }) => epoch),
    step: frames.map(({ step }) => step),
    score: frames.map(({ score }) => (Number.isNaN(score) ? null : score)),
    n: frames.map(({ points }) => points.length / 2),
    ...(frames.some(({ unsafe }) => unsafe) ? { unsafe: frames.map(({ unsafe }) => (unsafe ? 1 : 0)) } : {}),
    ...(frames.some(({ seen }) => seen) ? { seen: frames.map(({ seen }) => seen?.length ?? 0) } : {}),
    ...more,
  };
  delete head.contributions;
  const { points, labels, origins, originLabels, rows, faintPoints = [], making, ...plain } = scene;
  head.scene = { ...plain, real: labels.length, parents: originLabels.length, faint: faintPoints.length / 2 };
  const parts = [splitBytes(points), labels, splitBytes(origins), originLabels, splitBytes(faintPoints)];
  if (making) parts.push(...[making.seeds, making.walks, making.spheres, making.moves, making.sources].map(splitBytes), making.weights);
  parts.push(...packFrames(frames));
  if (contributions) {
    head.contributions = { n: contributions.values.length, arrows: Boolean(contributions.downhill) };
    for (const values of [contributions.values, contributions.downhill]) if (values) parts.push(toBytes(values));
  }
  const text = new TextEncoder().encode(JSON.stringify(head));
  const padded = new Uint8Array(Math.ceil(text.length / 4) * 4).fill(32);
  padded.set(text);
  return joinBytes([toBytes(Uint32Array.of(padded.length)), padded, await deflate(joinBytes(parts))]);
}

// Chunks as one message: each after its length, a u32.
export function joinChunks(chunks) {
  return joinBytes(chunks.flatMap((chunk) => [toBytes(Uint32Array.of(chunk.length)), chunk]));
}

// Every frame as its difference to the one before; the first surface as differences along its rows.
function packFrames(frames) {
  const parts = frames.map(({ surface }, i) => {
    const out = new Uint8Array(GRID * GRID);
    for (let c = 0; c < out.length; c++) out[c] = surface[c] - (i ? frames[i - 1].surface[c] : c && surface[c - 1]);
    return out;
  });
  for (const name of ["points", "moved"]) {
    frames.forEach((frame, i) => {
      const values = Uint16Array.from(frame[name], (value) => value & 65535);
      const before = frames[i - 1]?.[name];
      if (before?.length === values.length) for (let c = 0; c < values.length; c++) values[c] -= before[c];
      parts.push(splitBytes(values));
    });
  }
  for (const { unsafe } of frames) if (unsafe) parts.push(unsafe);
  for (const { seen } of frames) if (seen) parts.push(seen);
  return parts;
}

// 16-bit values as all low bytes, then all high bytes.
function splitBytes(values) {
  const n = values.length;
  const out = new Uint8Array(2 * n);
  for (let i = 0; i < n; i++) {
    out[i] = values[i] & 255;
    out[n + i] = (values[i] >> 8) & 255;
  }
  return out;
}

function toBytes(values) {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}

function joinBytes(parts) {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

async function deflate(bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new CompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}
