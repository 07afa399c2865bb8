// How hard the majority rows were before a member of an ensemble, and how many of them it saw: five bars in the key.

import { makeSvg } from "./svg.js";
import { SEEN } from "./units.js";

const BINS = 5; // of hardness, from 0 to 1
const [WIDTH, HEIGHT] = [20, 16]; // px

// For each bin the majority rows that are drawn and those of them that the member of a frame saw; null where it is of none.
export function countBins(film, index) {
  const seen = film.frames[index]?.seen;
  if (!seen) return null;
  const bins = Array.from({ length: BINS }, () => ({ rows: 0, seen: 0 }));
  seen.forEach((value, i) => {
    if (film.scene.labels[i] !== film.scene.majority) return;
    const bin = bins[Math.min(BINS - 1, Math.floor((BINS * (value % SEEN)) / (SEEN - 1)))];
    bin.rows += 1;
    if (value >= SEEN) bin.seen += 1;
  });
  return bins;
}

// Bars as high as the root of their rows, filled as far as the member saw them.
export function drawBins(bins, palette) {
  const picture = makeSvg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, "aria-hidden": "true" });
  const most = Math.sqrt(Math.max(1, ...bins.map(({ rows }) => rows)));
  bins.forEach(({ rows, seen }, i) => {
    const height = ((HEIGHT - 1) * Math.sqrt(rows)) / most;
    const share = rows ? seen / rows : 0;
    const bar = (part, fill) => makeSvg("rect", { x: 4 * i, y: HEIGHT - height * part, width: 3, height: height * part, fill });
    picture.append(bar(1, palette.majority), bar(share, palette.synthetic));
  });
  return picture;
}

export function describeBins(bins) {
  const parts = bins.map(({ rows, seen }, i) => `${seen} of ${rows} from ${(i / BINS).toFixed(1)} to ${((i + 1) / BINS).toFixed(1)}`);
  return `Majority rows seen by this member, by hardness: ${parts.join(", ")}. The nearer to pink a lit one is, the harder it was.`;
}
