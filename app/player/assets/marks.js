// Rows and synthetic points, their ways and their arrows, drawn into one film view.

import { strokePath, traceShape } from "./pen.js";
import { SEEN } from "./units.js";

const MANY = 120; // points: while more of them move, a halo costs more than it shows
const FEW = 60; // points: the trails of more are thinner
const TRAIL_SECONDS = 1;
const MOST_ARROWS = 120; // more points than this: only the strongest arrows are drawn
const STRONGEST = 60;
const FAINT_SIZE = 3.2; // px
const DIM = 0.22; // of rows that a member did not see
const EDGE = 10; // px from the stage's edge to the mark of a point outside it

// What a synthetic point does to the validation loss, to a shape, filled or open.
export const EFFECTS = {
  lowers: { shape: "diamond", isFilled: true },
  raises: { shape: "wedge", isFilled: false },
  unknown: { shape: "diamond", isFilled: false },
};

export function effectColour(effect, palette) {
  return effect === "lowers" ? palette.helps : palette.synthetic;
}

// Real rows on a pen of their own: they never move. Of an ensemble those that the member saw are lit, and of these the majority rows are
// the more of the synthetic colour, the harder they were.
export function paintRows(pen, view) {
  const { points, labels, majority } = view.film.scene;
  const seen = view.findSeen();
  paintFaint(pen, view);
  const majoritySize = labels.length > 600 ? 2.4 : 2.8;
  const order = [...labels.keys()].sort((p, q) => (labels[q] === majority) - (labels[p] === majority));
  for (const i of order) {
    const isMajority = labels[i] === majority;
    if (isMajority && !view.shown.majority) continue;
    const { shape, colour } = view.markerOf(labels[i]);
    const isLit = !seen || seen[i] >= SEEN;
    pen.globalAlpha = isLit ? (isMajority && !seen ? 0.8 : 1) : DIM;
    pen.beginPath();
    const size = isMajority ? majoritySize + (seen && isLit ? 1.2 : 0) : shape === "circle" ? 5 : 5.6;
    traceShape(pen, shape, ...view.toPixels(points, i), size);
    pen.fillStyle = colour;
    pen.fill();
    if (seen && isLit && isMajority) {
      pen.globalAlpha = (seen[i] - SEEN) / (SEEN - 1);
      pen.fillStyle = view.theme.palette.synthetic;
      pen.fill();
      pen.globalAlpha = 1;
    }
    strokePath(pen, view.theme.palette.edge, isMajority ? 0.7 : 1.5);
  }
}

// Validation rows that the data mark, under the training rows.
function paintFaint(pen, view) {
  const { faintPoints } = view.film.scene;
  pen.beginPath();
  for (let i = 0; i < faintPoints.length / 2; i++) traceShape(pen, "circle", ...view.toPixels(faintPoints, i), FAINT_SIZE);
  pen.globalAlpha = 0.55;
  strokePath(pen, view.theme.palette.minority[0], 1.2);
  pen.globalAlpha = 1;
}

// From each point to the row it was copied from.
export function drawThreads(view, places) {
  const { pen } = view;
  const origin = view.film.originsOf(places.length);
  pen.beginPath();
  for (let i = 0; i < places.length / 2; i++) {
    pen.moveTo(...view.toPixels(origin, i));
    pen.lineTo(places[2 * i], places[2 * i + 1]);
  }
  strokePath(pen, view.theme.fadeInk(0.5), 0.9);
}

// The way the points came, in the colour of what they do: of the last second while they move, the whole way while they stand; thin
// where there are many.
export function drawTrails(view, places, effects) {
  const { pen, clock, film } = view;
  const { palette } = view.theme;
  const n = places.length / 2;
  const end = film.trainedIndex(Math.floor(clock.position));
  const first = clock.isMoving ? Math.floor(film.positionAt(film.timeAt(Math.min(clock.position, film.last)) - TRAIL_SECONDS)) : 0;
  const reach = Math.min(end - Math.max(first, film.startIndex), Math.max(6, Math.round((clock.isMoving ? 3600 : 12000) / n)));
  const path = [places];
  for (let back = 0; back <= reach; back++) {
    const older = view.placePoints(end - back);
    if (older?.length === places.length) path.push(older);
  }
  const groups = effects.some((effect) => effect !== "unknown") ? ["raises", "unknown", "lowers"] : ["unknown"];
  const isMany = n > MANY && clock.isMoving;
  const weight = Math.max(0.3, Math.min(1, FEW / n));
  for (let back = path.length - 1; back > 0; back--) {
    const age = (back - 1) / path.length; // the tail ends thin, however short it is
    const [a, b] = [path[back], path[back - 1]];
    const width = (0.8 + 1.4 * (1 - age)) * Math.sqrt(weight);
    const strength = Math.pow(1 - 0.9 * age, 1.3) * weight;
    if (!isMany) {
      tracePieces(pen, a, b, () => true);
      pen.globalAlpha = 0.5 * strength;
      strokePath(pen, palette.halo, width + 1.8);
    }
    pen.globalAlpha = 0.85 * strength;
    for (const effect of groups) {
      tracePieces(pen, a, b, (i) => effects[i] === effect);
      strokePath(pen, groups.length > 1 ? effectColour(effect, palette) : palette.trail, width);
    }
  }
  pen.globalAlpha = 1;
}

function tracePieces(pen, a, b, isDrawn) {
  pen.beginPath();
  for (let i = 0; i < a.length; i += 2) {
    if (!isDrawn(i / 2)) continue;
    pen.moveTo(a[i], a[i + 1]);
    pen.lineTo(b[i], b[i + 1]);
  }
}

// Points that lower the validation loss are filled diamonds, those that raise it hollow triangles: what lies under these is seen.
export function drawPoints(view, places, effects, inside, size) {
  const { pen } = view;
  const { palette } = view.theme;
  const n = places.length / 2;
  const known = view.shown.contributions ? view.film.contributionsOf(n) : null;
  const scaleOf = (i) => (known?.ranks.has(i) ? 0.75 + 0.75 * Math.sqrt(Math.abs(known.values[i]) / known.largest) : 1);
  for (const effect of ["unknown", "raises", "lowers"]) {
    const { shape, isFilled } = EFFECTS[effect];
    const colour = effectColour(effect, palette);
    pen.beginPath();
    for (const i of inside) {
      if (effects[i] === effect) traceShape(pen, shape, places[2 * i], places[2 * i + 1], size * scaleOf(i));
    }
    if (n <= MANY || !view.clock.isMoving) strokePath(pen, palette.halo, n > MANY ? 2.6 : 4);
    pen.globalAlpha = isFilled ? 0.95 : 0.7;
    pen.fillStyle = isFilled ? colour : palette.fill;
    pen.fill();
    pen.globalAlpha = 1;
    strokePath(pen, colour, n > MANY ? 1.4 : 1.9);
  }
}

// A cross over the points that are unsafe: its shape says it, whatever the colours.
export function drawUnsafe(view, places, unsafe, inside, size) {
  const { pen } = view;
  const reach = 0.85 * size;
  pen.beginPath();
  for (const i of inside) {
    if (!unsafe[i]) continue;
    const [x, y] = [places[2 * i], places[2 * i + 1]];
    for (const side of [1, -1]) {
      pen.moveTo(x - reach, y - side * reach);
      pen.lineTo(x + reach, y + side * reach);
    }
  }
  strokePath(pen, view.theme.palette.halo, 3.6);
  strokePath(pen, view.theme.ink, 1.5);
}

// The points whose arrows are drawn: all, or the strongest where there are many.
export function chooseArrows(contributions, inside) {
  const { lengths } = contributions;
  const order = inside.filter((i) => lengths[i] > 0 && Number.isFinite(lengths[i]));
  if (lengths.length <= MOST_ARROWS) return order;
  return order.sort((p, q) => lengths[q] - lengths[p]).slice(0, STRONGEST);
}

// Where the meta-gradient would push the points, to a lower validation loss.
export function drawArrows(view, places, chosen) {
  const { pen } = view;
  const { scaleX, scaleY } = view.view;
  const { downhill, lengths, strong } = view.film.contributions;
  pen.beginPath();
  for (const i of chosen) {
    const length = Math.min(46, 8 + 38 * Math.sqrt(lengths[i] / strong));
    const [x, y] = [places[2 * i], places[2 * i + 1]];
    const turn = Math.atan2(-downhill[2 * i + 1] * scaleY, downhill[2 * i] * scaleX);
    const [tipX, tipY] = [x + length * Math.cos(turn), y + length * Math.sin(turn)];
    const barb = Math.min(7, length / 2);
    pen.moveTo(x, y);
    pen.lineTo(tipX, tipY);
    for (const side of [2.6, -2.6]) {
      pen.moveTo(tipX, tipY);
      pen.lineTo(tipX + barb * Math.cos(turn + side), tipY + barb * Math.sin(turn + side));
    }
  }
  strokePath(pen, view.theme.palette.halo, 4);
  strokePath(pen, view.theme.ink, 1.6);
}

// Marks at the stage's edge for points outside it; a pointer finds the points there.
export function drawOutside(view, places, outside) {
  const { pen } = view;
  const { width, height } = view.view;
  pen.fillStyle = view.theme.palette.synthetic;
  for (const i of outside) {
    const [x, y] = [places[2 * i], places[2 * i + 1]];
    const edgeX = Math.min(width - EDGE, Math.max(EDGE, x));
    const edgeY = Math.min(height - EDGE, Math.max(EDGE, y));
    const turn = Math.atan2(y - edgeY, x - edgeX);
    pen.beginPath();
    for (const [radius, angle] of [[9, 0], [8, 2.4], [3, Math.PI], [8, -2.4]]) {
      pen.lineTo(edgeX + radius * Math.cos(turn + angle), edgeY + radius * Math.sin(turn + angle));
    }
    pen.closePath();
    pen.fill();
    strokePath(pen, view.theme.palette.fill, 1.5);
    places[2 * i] = edgeX;
    places[2 * i + 1] = edgeY;
  }
}

export function drawSelectedPath(view, i) {
  const { pen, film } = view;
  const { palette } = view.theme;
  pen.beginPath();
  let isOpen = false;
  for (let at = film.startIndex; at <= film.last; at++) {
    const places = film.isChosen(at) ? null : view.placePoints(at);
    if (!places || 2 * i >= places.length) continue;
    if (isOpen) pen.lineTo(places[2 * i], places[2 * i + 1]);
    else pen.moveTo(places[2 * i], places[2 * i + 1]);
    isOpen = true;
  }
  strokePath(pen, palette.fill, 6);
  strokePath(pen, palette.synthetic, 2.6);
  pen.beginPath();
  pen.arc(...view.toPixels(film.originsOf(view.drawn.length), i), 10, 0, 7);
  strokePath(pen, palette.fill, 4);
  strokePath(pen, palette.synthetic, 2);
}

export function drawSelectedMark(view, places, effects, i, size) {
  const { pen } = view;
  const { palette } = view.theme;
  pen.beginPath();
  traceShape(pen, EFFECTS[effects[i]].shape, places[2 * i], places[2 * i + 1], size + 3);
  pen.fillStyle = effectColour(effects[i], palette);
  pen.fill();
  strokePath(pen, palette.fill, 2);
}

// How long a sd is along both axes, in the lower right corner.
export function drawScale(view) {
  const { pen, theme, font } = view;
  const { width, height, scaleX, scaleY } = view.view;
  const sd = [0.1, 0.2, 0.5, 1, 2, 5].find((value) => value * scaleX >= 34) ?? 10;
  const [right, bottom] = [width - 12, height - 10];
  const [left, top] = [right - sd * scaleX, bottom - sd * scaleY];
  const isEven = Math.abs(scaleX / scaleY - 1) < 0.03;
  pen.beginPath();
  pen.moveTo(left, bottom - 4);
  pen.lineTo(left, bottom);
  pen.lineTo(right, bottom);
  pen.lineTo(right, isEven ? bottom - 4 : top);
  if (!isEven) pen.lineTo(right - 4, top);
  pen.lineCap = "butt";
  strokePath(pen, theme.fadePaper(0.7), 4);
  strokePath(pen, theme.fadeInk(0.8), 1.4);
  pen.font = `11px ${font}`;
  pen.textAlign = "center";
  pen.textBaseline = "alphabetic";
  pen.lineWidth = 3;
  pen.strokeStyle = theme.fadePaper(0.8);
  pen.strokeText(`${sd} sd`, (left + right) / 2, bottom - 6);
  pen.fillStyle = theme.fadeInk(0.85);
  pen.fillText(`${sd} sd`, (left + right) / 2, bottom - 6);
}

