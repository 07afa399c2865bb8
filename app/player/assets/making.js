// How new rows were made: spheres and walks, threads from seeds, and rows that were moved. The kind of making decides the mark.

import { NEAREST } from "./data.js";
import { strokePath } from "./pen.js";
import { makeSvg } from "./svg.js";
import { TEXT } from "./text.js";

const BARB = 5; // px, of an arrow's head
const LEAST = 3; // px: a shorter move has no head
const FEW = 60; // marks: more of them are fainter
const WIDE = 12; // marks that a sphere, which covers much of the picture, counts as
const LONG = 4; // marks that an arrow counts as
const LEVELS = 8; // of how strong a thread is
const GENERATED = ["generated", "codes", NEAREST]; // kinds of a generator's rows

export function drawMaking(view, places) {
  const { making } = view.film.scene;
  if (making.spheres.length) drawSpheres(view, making);
  if (making.walks.length === making.steps * places.length && making.steps > 1) drawWalks(view, making, places);
  else if (making.weights.length && making.sources.length === making.each * places.length) drawSources(view, making, places);
  else if (!making.spheres.length && making.seeds.length === places.length) drawSeeds(view, making, places);
  if (making.moves.length) drawMoves(view, making.moves);
  view.pen.globalAlpha = 1;
}

// Every row's sphere: a circle in sd, an ellipse where the axes differ; a diamond where distances are sums of differences.
function drawSpheres(view, { spheres, norm }) {
  const { pen } = view;
  const { kx, ky } = view.view;
  pen.beginPath();
  for (let i = 0; i < spheres.length; i += 4) {
    const [x, y] = view.toPixels(spheres, i / 2);
    const [across, up] = [spheres[i + 2] * kx, spheres[i + 3] * ky];
    pen.moveTo(x + across, y);
    if (norm === 2) pen.ellipse(x, y, across, up, 0, 0, 2 * Math.PI);
    else for (const [dx, dy] of [[0, -1], [-1, 0], [0, 1], [1, 0]]) pen.lineTo(x + dx * across, y + dy * up);
  }
  pen.globalAlpha = fade(WIDE * spheres.length / 4, 0.75, 0.16);
  strokePath(pen, view.theme.palette.halo, 2.2);
  strokePath(pen, view.theme.palette.synthetic, 1.1);
}

// The way of each new row from its seed, to where the row is drawn.
function drawWalks(view, { walks, steps }, places) {
  const { pen } = view;
  pen.beginPath();
  for (let i = 0; i < places.length / 2; i++) {
    pen.moveTo(...view.toPixels(walks, i * steps));
    for (let step = 1; step < steps; step++) pen.lineTo(...view.toPixels(walks, i * steps + step));
  }
  pen.globalAlpha = fade(places.length / 2, 0.9, 0.6);
  strokePath(pen, view.theme.palette.halo, 2.4);
  strokePath(pen, view.theme.palette.trail, 1.1);
}

function drawSeeds(view, { seeds }, places) {
  const { pen } = view;
  pen.beginPath();
  for (let i = 0; i < places.length / 2; i++) {
    pen.moveTo(...view.toPixels(seeds, i));
    pen.lineTo(places[2 * i], places[2 * i + 1]);
  }
  pen.globalAlpha = fade(places.length / 2, 0.8, 0.45);
  strokePath(pen, view.theme.palette.trail, 0.9);
}

// Threads from the rows that each new row is a mean of, as strong as their weights.
function drawSources(view, { sources, weights, each }, places) {
  const { pen } = view;
  const most = fade(places.length / 2, 0.95, 0.5);
  for (let level = 1; level <= LEVELS; level++) {
    pen.beginPath();
    for (let i = 0; i < weights.length; i++) {
      if (Math.ceil(weights[i] * LEVELS / 255) !== level) continue;
      const row = Math.floor(i / each);
      pen.moveTo(...view.toPixels(sources, i));
      pen.lineTo(places[2 * row], places[2 * row + 1]);
    }
    pen.globalAlpha = most * level / LEVELS;
    strokePath(pen, view.theme.palette.trail, 1.1);
  }
}

// An arrow from the old to the new place of each row that was moved, and a ring where it lies now.
function drawMoves(view, moves) {
  const { pen, theme } = view;
  const ways = [];
  for (let i = 0; i < moves.length / 2; i += 2) ways.push([view.toPixels(moves, i), view.toPixels(moves, i + 1)]);
  pen.globalAlpha = fade(LONG * ways.length, 0.95, 0.4);
  pen.beginPath();
  for (const [[x, y], [toX, toY]] of ways) {
    pen.moveTo(x, y);
    pen.lineTo(toX, toY);
    const length = Math.hypot(toX - x, toY - y);
    if (length < LEAST) continue;
    const turn = Math.atan2(toY - y, toX - x);
    const barb = Math.min(BARB, length / 2);
    for (const side of [2.6, -2.6]) {
      pen.moveTo(toX, toY);
      pen.lineTo(toX + barb * Math.cos(turn + side), toY + barb * Math.sin(turn + side));
    }
  }
  strokePath(pen, theme.palette.halo, 3.2);
  strokePath(pen, theme.ink, 1.2);
}

// What an unsafe synthetic point of a film is called.
export function nameUnsafe(film) {
  return film.scene?.isMade ? TEXT.unsafeRow : TEXT.unsafe;
}

// What a film's synthetic points are called, by their effect.
export function nameRows({ scene }) {
  if (!scene.isMade) return TEXT.copies;
  return GENERATED.includes(scene.made.kind) ? TEXT.generated : TEXT.rows;
}

// Strong for few marks, weak for many.
function fade(count, most, least) {
  return Math.max(least, most * Math.sqrt(Math.min(1, FEW / Math.max(1, count))));
}

// [picture, text] of each mark that a film's making has.
export function listMakingMarks(making, { palette, ink }) {
  if (!making) return [];
  const marks = [];
  const line = (d, stroke, width) => makeSvg("svg", { viewBox: "-10 -8 20 16", "aria-hidden": "true" },
    makeSvg("path", { d, fill: "none", stroke, "stroke-width": width, "stroke-linecap": "round", "stroke-linejoin": "round" }));
  const ring = making.norm === 2 ? "M7 0A7 7 0 1 1 -7 0A7 7 0 1 1 7 0Z" : "M7 0L0 -7L-7 0L0 7Z";
  if (making.spheres.length) marks.push([line(ring, palette.synthetic, 1.2), TEXT.sphere]);
  else if (making.walks.length && making.steps > 1) marks.push([line("M-8 5L-8 1L-2 1L-2 -2L4 -2L4 -5L8 -5", palette.trail, 1.4), TEXT.walk]);
  else if (making.weights.length) marks.push([line("M-8 5L8 -5M-8 -5L8 -5", palette.trail, 1.2), making.kind === "codes" ? TEXT.codes : TEXT.sources]);
  else if (making.seeds.length) marks.push([line("M-8 5L8 -5", palette.trail, 1.2), making.kind === NEAREST ? TEXT.nearestSeed : TEXT.seed]);
  if (making.moves.length) marks.push([line("M-8 4L7 -4M7 -4L1 -4.4M7 -4L3.6 1.2", ink, 1.4), TEXT.pushed]);
  return marks;
}
