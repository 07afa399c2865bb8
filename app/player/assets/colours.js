// The colours of films, light and dark, and the shapes of classes.

import { HALF } from "./units.js";

const LIGHT = {
  majority: "#0072B2", low: "#0072B2", high: "#D55E00", lowMix: 0.42, highMix: 0.46, edge: "#FFFFFF",
  minority: ["#D55E00", "#8A6100", "#00795A", "#5B5B5B"], trail: "#C4268A", synthetic: "#86125C", helps: "#005C42", fill: "#FFFFFF",
  halo: "rgba(255,255,255,0.8)", accent: "#00644B", other: "#229DE2",
  better: "#007E5B", worse: "#B3261E",
};
const DARK = {
  majority: "#56B4E9", low: "#0072B2", high: "#D55E00", lowMix: 0.5, highMix: 0.46, edge: "#10161A",
  minority: ["#FF8B3D", "#F0C24B", "#3FCFA5", "#C9C9C9"], trail: "#FF86CE", synthetic: "#FFC9EA", helps: "#57E3B6", fill: "#2A0F20",
  halo: "rgba(0,0,0,0.55)", accent: "#3CC79A", other: "#57B4E9",
  better: "#2FE0AE", worse: "#FF8B7E",
};
const SHAPES = ["circle", "square", "triangle", "pentagon", "cross"]; // of minority classes, in order; the majority is a small circle
const DIFFERENCE_MIX = 0.78; // of the class colour where two surfaces differ most
const PAPER_BELOW = 0.02; // a difference smaller than this is paper

// Shape and colour of a class; the two together tell 20 minority classes apart.
export function markerOf(label, majority, palette) {
  if (label === majority) return { shape: "circle", colour: palette.majority };
  const number = label - (label > majority ? 1 : 0);
  return { shape: SHAPES[number % SHAPES.length], colour: palette.minority[number % palette.minority.length] };
}

// The page's colours where an element stands; `before` where they have not changed.
export function readTheme(root, before) {
  const style = getComputedStyle(root);
  const paper = parseColour(style.getPropertyValue("--st-background-color")) ?? [255, 255, 255];
  const ink = parseColour(style.getPropertyValue("--st-text-color")) ?? [34, 34, 34];
  const accent = style.getPropertyValue("--st-primary-color").trim();
  const key = `${paper}|${ink}|${accent}`;
  return key === before?.key ? before : makeTheme(key, paper, ink, accent);
}

// A colour for a difference of two surfaces, as part of the largest: minority above 0, majority below.
export function mixDifference(theme, difference, most, out, at) {
  const { paperOf, lowOf, highOf } = theme;
  const share = Math.abs(difference) < PAPER_BELOW ? 0 : Math.min(1, Math.abs(difference) / most) * DIFFERENCE_MIX;
  const end = difference > 0 ? highOf : lowOf;
  for (let c = 0; c < 3; c++) out[at + c] = Math.round(paperOf[c] + (end[c] - paperOf[c]) * share);
}

// paper, ink: [red, green, blue]; ramp: the colours of the surface's 256 values.
function makeTheme(key, paper, ink, accent) {
  const isDark = paper[0] * 0.3 + paper[1] * 0.59 + paper[2] * 0.11 < 128;
  const palette = isDark ? DARK : LIGHT;
  const low = parseColour(palette.low);
  const high = parseColour(palette.high);
  const ramp = new Uint8Array(256 * 3);
  for (let value = 0; value < 256; value++) {
    const distance = Math.abs(value - HALF) / HALF;
    const mix = Math.pow(distance, 0.75) * (value < HALF ? palette.lowMix : palette.highMix);
    const end = value < HALF ? low : high;
    for (let c = 0; c < 3; c++) ramp[value * 3 + c] = Math.round(paper[c] + (end[c] - paper[c]) * mix);
  }
  return {
    key, isDark, palette, ramp, paperOf: paper, lowOf: low, highOf: high, paper: `rgb(${paper.join(",")})`, ink: `rgb(${ink.join(",")})`,
    accent: accent || palette.accent, other: palette.other,
    fadeInk: (alpha) => `rgba(${ink.join(",")},${alpha})`,
    fadePaper: (alpha) => `rgba(${paper.join(",")},${alpha})`,
  };
}

// #rgb, #rrggbb or rgb(...) -> [red, green, blue], else null.
function parseColour(text) {
  const hex = /^#([0-9a-f]{3,8})$/i.exec(text.trim());
  if (hex) {
    const digits = hex[1].length < 6 ? [...hex[1]].map((d) => d + d).join("") : hex[1];
    return [0, 2, 4].map((i) => parseInt(digits.slice(i, i + 2), 16));
  }
  const parts = /^rgba?\(([^)]+)\)/i.exec(text.trim());
  return parts ? parts[1].split(/[ ,/]+/).slice(0, 3).map(Number) : null;
}
