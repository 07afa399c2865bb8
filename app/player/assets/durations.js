// How long each frame of a film takes: by the distance moved in it, so that a large move is seen and still frames pass.

import { GRID, UNIT } from "./units.js";

const PACE = 0.12; // s a frame, of the whole film
const SHORTEST = 4; // s, a film
const LONGEST = 10;
const EVEN = 0.2; // of the film's time that all frames share alike
const PARTS = { median: 0.5, far: 0.3, surface: 0.2 };
const MOST = 1.2; // s, one frame
const MOST_SHARE = 0.3; // of the film, one frame
const STILL_SHARE = 0.25; // of the film, all frames without movement together
const TOO_SMALL = 1e-9;

// How far a frame is from the one before it: the median and the 95th percentile of the points' moves (sd), and the mean change of
// the surface (probability).
export function measureMove(frame, before, scene) {
  if (!before) return { median: 0, far: 0, surface: 0 };
  let surface = 0;
  for (let c = 0; c < frame.surface.length; c++) surface += Math.abs(frame.surface[c] - before.surface[c]);
  surface /= 255 * GRID * GRID;
  const n = frame.points.length / 2;
  if (!n || before.points.length !== frame.points.length || !scene) return { median: 0, far: 0, surface };
  const [unitX, unitY] = scene.half.map((half) => half / UNIT);
  const moves = new Float32Array(n);
  for (let i = 0; i < n; i++) {
    moves[i] = Math.hypot((frame.points[2 * i] - before.points[2 * i]) * unitX, (frame.points[2 * i + 1] - before.points[2 * i + 1]) * unitY);
  }
  moves.sort();
  return { median: moves[n >> 1], far: moves[Math.min(n - 1, Math.floor(0.95 * n))], surface };
}

// Seconds of each frame, 0 for the first: what it takes from the frame before it to this one. moves: as `measureMove` gives them;
// phases: their names. `hasPoints`: the film has points that move, so a frame in which none does is a still one.
export function spreadTime(moves, phases, hasPoints) {
  const pairs = moves.map((_, i) => i).slice(1);
  if (!pairs.length) return moves.map(() => 0);
  const whole = Math.min(LONGEST, Math.max(SHORTEST, PACE * moves.length));
  const isStill = (i) => (hasPoints ? moves[i].median + moves[i].far : moves[i].surface) < TOO_SMALL;
  const seconds = weigh(moves, phases, pairs).map((weight) => whole * ((1 - EVEN) * weight + EVEN / pairs.length));
  seconds[0] = 0;
  const moving = pairs.filter((i) => !isStill(i));
  const still = pairs.filter(isStill);
  return moving.length ? limit(seconds, moving, still, whole) : limit(seconds, still, [], whole);
}

// Each phase's share of the frames, spread over its frames by how far they moved.
function weigh(moves, phases, pairs) {
  const weights = moves.map(() => 0);
  for (const phase of new Set(pairs.map((i) => phases[i]))) {
    const own = pairs.filter((i) => phases[i] === phase);
    const sums = Object.keys(PARTS).map((part) => [part, own.reduce((sum, i) => sum + moves[i][part], 0)]);
    const known = sums.filter(([, sum]) => sum > TOO_SMALL);
    const scale = known.reduce((sum, [part]) => sum + PARTS[part], 0);
    for (const i of own) {
      for (const [part, sum] of known) weights[i] += ((PARTS[part] / scale) * (moves[i][part] / sum) * own.length) / pairs.length;
    }
  }
  return weights;
}

// Holds each frame below its limit and the still ones together below theirs; the rest goes to the moving ones in proportion.
function limit(seconds, moving, still, whole) {
  const sum = (some) => some.reduce((total, i) => total + seconds[i], 0);
  const shrink = (most) => {
    const total = sum(still);
    if (total > most) for (const i of still) seconds[i] *= most / total;
  };
  shrink(STILL_SHARE * whole);
  const hasShare = moving.length + still.length > 1 / MOST_SHARE;
  for (let pass = 0, most = MOST; pass < 24; pass++) {
    const open = moving.filter((i) => seconds[i] < most - TOO_SMALL);
    const spare = whole - sum(still) - sum(moving);
    const weight = sum(open);
    if (spare > TOO_SMALL && weight > 0) for (const i of open) seconds[i] *= 1 + spare / weight;
    if (hasShare) most = Math.min(MOST, MOST_SHARE * (sum(moving) + sum(still)));
    for (const i of moving) seconds[i] = Math.min(seconds[i], most);
  }
  if (moving.length > 3) shrink((sum(moving) * STILL_SHARE) / (1 - STILL_SHARE));
  return seconds;
}
