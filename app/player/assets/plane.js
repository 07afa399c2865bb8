// From the plane of a scene to pixels: the view box, and how it lies in a stage.

import { UNIT } from "./units.js";

const TAIL = 0.01; // of the rows, and of the points, that may lie outside the box at each side
const AIR = 0.08; // of the box, at each side
const MOST_STRETCH = 2; // a sd along one axis may be so many times as long as along the other

// The view box of films in one plane, in units of the scene: the 1st to the 99th percentile of all rows, and of all points,
// with air around. `before`: a box to stay inside the new one, while a film grows.
export function findBox(films, before = null) {
  const boxes = before ? [before] : [];
  for (const { scene, frames } of films) {
    if (!scene) continue;
    boxes.push(spanOf([scene.points, scene.faintPoints]), spanOf(frames.map(({ points }) => points)));
  }
  const known = boxes.filter(Boolean);
  if (!known.length) return null;
  const pick = (side, choose) => choose(...known.map((box) => box[side]));
  return { left: pick("left", Math.min), right: pick("right", Math.max), low: pick("low", Math.min), high: pick("high", Math.max) };
}

// [x, y, x, y, ...] arrays -> the box of their percentiles, null where they are empty.
function spanOf(arrays) {
  const count = arrays.reduce((sum, { length }) => sum + length / 2, 0);
  if (!count) return null;
  const [xs, ys] = [new Float32Array(count), new Float32Array(count)];
  let at = 0;
  for (const points of arrays) {
    for (let i = 0; i < points.length; i += 2, at++) {
      xs[at] = points[i];
      ys[at] = points[i + 1];
    }
  }
  const [left, right] = stretch(xs);
  const [low, high] = stretch(ys);
  return { left, right, low, high };
}

function stretch(values) {
  values.sort();
  const at = (share) => values[Math.round(share * (values.length - 1))];
  const [low, high] = [at(TAIL), at(1 - TAIL)];
  const air = Math.max((high - low) * (AIR / (1 - 2 * AIR)), UNIT / 50);
  return [low - air, high + air];
}

// How a box fills a stage of that size. x, y: px of the scene's middle; kx, ky: px per unit; scaleX, scaleY: px per sd.
export function layOut(box, scene, [width, height]) {
  const [halfX, halfY] = scene.half;
  let scaleX = (width / (box.right - box.left)) * (UNIT / halfX);
  let scaleY = (height / (box.high - box.low)) * (UNIT / halfY);
  scaleX = Math.min(scaleX, scaleY * MOST_STRETCH);
  scaleY = Math.min(scaleY, scaleX * MOST_STRETCH);
  const [kx, ky] = [(halfX * scaleX) / UNIT, (halfY * scaleY) / UNIT];
  const [middleX, middleY] = [(box.left + box.right) / 2, (box.low + box.high) / 2];
  return { width, height, scaleX, scaleY, kx, ky, unit: UNIT, x: width / 2 - middleX * kx, y: height / 2 + middleY * ky };
}

// Whether two films lie in one plane: their surfaces can be compared place by place.
export function isSamePlane(one, other) {
  const name = (scene) => JSON.stringify([scene.centre, scene.half, scene.axes]);
  return Boolean(one && other) && name(one) === name(other);
}
