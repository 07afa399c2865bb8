// The stage's texts.

import { formatShare } from "./svg.js";

export const TEXT = {
  // the head
  views: "What is shown",
  help: "Keys and marks",
  more: "More",
  // states
  empty: "Choose data and a method, then press Run.",
  stopped: "stopped",
  loading: "Loading this film",
  otherPlane: "These runs have different planes.",
  preview: "Preview",
  noPreview: "No preview: the server did not answer.",
  noFrame: "no frame yet",
  // the key
  copy: "copy",
  lowers: "copy, lowers the loss",
  raises: "copy, raises it",
  unsafe: "unsafe copy",
  unsafeShort: "unsafe",
  unsafeMore: "Unsafe: nearer to a hidden majority row than to any row of its class. Hidden rows are test rows.",
  unsafeCount: (count, n) => `unsafe copies: ${count} of ${n}`,
  unsafeFact: { name: "Unsafe", yes: "yes, a hidden majority row is nearest", no: "no" },
  seen: "lit: seen by this member",
  seenCount: (count) => `lit: ${count} rows this member saw`,
  faint: "validation row",
  before: "boundary before moving",
  beforeFirst: "boundary of the first frame",
  axes: (across, up) => `\u2192 ${across}  \u2191 ${up}`,
  scale: (names, sd, across, up) => `${names}. ${sd} sd are ${across} px across and ${up} px up.`,
  slice: (share) => `slice, ${share}% of the variance`,
  sliceMore: "The surface is the model on a plane through the training mean.",
  // curves
  precision: "Precision",
  recall: "Recall",
  onTestRows: "on test rows",
  chance: (share) => `chance ${formatShare(share, share < 0.01 ? 3 : 2)}`,
  withPrecision: (label, value) => `${label}: average precision ${value}`,
  describeCurves: (labels, chance) =>
    `Precision against recall for ${labels.join(", ")}.${chance === null ? "" : ` Chance is ${formatShare(chance, 3)}.`} Up and down choose a line.`,
  // switches
  drawn: "What is drawn",
  trails: "Trails",
  arrows: "Arrows",
  aboutArrows: "Arrows show where the meta-gradient pushes each copy. They appear while paused.",
  // the rail
  whatIf: "What if",
  drag: "drag: retrains at once",
  reset: "Reset",
  differences: "Average precision",
  differencesMore: (n) => `${n} replicates, paired`,
  worse: "worse",
  better: "better",
  same: "no difference",
  found: { true: "better", false: "worse", null: "no difference found" },
  training: "Training",
  // two films
  difference: "Difference of the two surfaces",
  above: (left) => `Orange: ${left} gives the minority class a higher probability. Blue: a lower one.`,
  paper: "The two surfaces are equal.",
  largest: (value, most) => `Largest difference: ${value}. The colours end at ${most}.`,
  largestShort: (value) => `largest difference ${value}`,
  noPoint: "Choose a copy with a click or with [ and ].",
  point: (i, n) => `Copy ${i} of ${n}`,
  effect: "Effect on the validation loss",
  effects: { lowers: (value) => `lowers it by ${value}`, raises: (value) => `raises it by ${value}`, unknown: () => "not known" },
  moved: "Moved from its row",
  nearest: "Nearest row in the plane",
  nearestRow: (name, distance) => `${name}, ${distance}`,
  sides: (left, right) => `left ${left}, right ${right}`,
  // keys
  keys: [
    ["Space", "play or pause"], ["\u2190 \u2192", "one frame"], ["Home End", "first, last frame"], ["+ \u2212", "speed"], ["[ ]", "next copy"],
    ["Esc", "let go"], ["V", "next view"], ["A", "arrows"], ["T", "trails"], ["S", "save"], ["E", "edit points"], ["?", "this list"],
  ],
};
