// Two films in step: where one stands when the other is at a position, and how their surfaces differ.

import { isSamePlane } from "./plane.js";
import { Surface } from "./surface.js";

const SCALE_STEP = 0.1; // the scale of differences ends at a multiple of it

// The position in film `to` that has the phase, and the share of that phase's steps, of a position in film `from`.
export function matchPosition(from, position, to) {
  if (to.last < 0 || from.last < 0) return Math.max(0, to.last);
  const at = Math.min(from.last, Math.floor(position + 1e-6));
  const own = findPhase(from, from.frames[at].phase);
  const theirs = findPhase(to, from.frames[at].phase) ?? { first: 0, last: to.last };
  const share = shareOf(from, own, position);
  if (share > 1) return Math.min(to.last, theirs.last + (share - 1)); // between two phases
  return placeAt(to, theirs, share);
}

function findPhase(film, phase) {
  const first = film.frames.findIndex((frame) => frame.phase === phase);
  if (first < 0) return null;
  let last = first;
  while (last < film.last && film.frames[last + 1].phase === phase) last++;
  return { first, last };
}

// Share of a phase's steps at a position; after its last frame 1 and the share of the way to the next phase.
function shareOf(film, { first, last }, position) {
  if (position > last) return 1 + (position - last);
  const at = Math.min(film.last, Math.floor(position));
  const step = (i) => film.frames[i].step;
  const now = step(at) + (at < last ? (step(at + 1) - step(at)) * (position - at) : 0);
  return last > first ? Math.max(0, (now - step(first)) / (step(last) - step(first) || 1)) : 0;
}

function placeAt(film, { first, last }, share) {
  const step = (i) => film.frames[i].step;
  const target = step(first) + share * (step(last) - step(first));
  let at = first;
  while (at < last && step(at + 1) <= target) at++;
  return at < last ? at + Math.max(0, (target - step(at)) / (step(at + 1) - step(at) || 1)) : last;
}

// The difference of two films' surfaces, left minus right, from -1 to 1.
export class Difference {
  constructor() {
    this.surface = new Surface();
    this.other = { lines: [] }; // the right film's surface, for its boundary
    this.isKnown = false; // both films are there, in one plane
    this.largest = 0; // of the pair, over the whole film
    this.now = 0; // of the surfaces as they stand
    this.key = "";
  }

  // The scale's end: the pair's largest difference, rounded up.
  get most() { return Math.max(SCALE_STEP, Math.ceil(this.largest / SCALE_STEP - 1e-6) * SCALE_STEP); }

  // Measures the largest difference of a pair, over the frames of the left film.
  setPair(left, right) {
    this.isKnown = left.last >= 0 && right.last >= 0 && isSamePlane(left.scene, right.scene);
    const key = [left.number, left.last, right.number, right.last, this.isKnown].join();
    if (key === this.key) return;
    this.key = key;
    this.largest = 0;
    if (!this.isKnown) return;
    for (let i = 0; i <= left.last; i++) {
      const other = right.frames[Math.round(matchPosition(left, i, right))].surface;
      const { surface } = left.frames[i];
      for (let c = 0; c < surface.length; c++) this.largest = Math.max(this.largest, Math.abs(surface[c] - other[c]) / 255);
    }
  }

  // Takes the surfaces of two views as they stand.
  set(left, right) {
    const { values } = this.surface;
    this.other = right;
    this.now = 0;
    for (let c = 0; c < values.length; c++) {
      values[c] = (left.values[c] - right.values[c]) / 255;
      this.now = Math.max(this.now, Math.abs(values[c]));
    }
    this.surface.key = `${left.key}|${right.key}`;
  }
}
