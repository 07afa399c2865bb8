// The surface of one picture, between two frames: colours on a small canvas that is drawn large, and the boundary.

import { mixDifference } from "./colours.js";
import { findContours, traceLine } from "./contours.js";
import { GRID } from "./units.js";
import { strokePath } from "./pen.js";

const MOST_BEYOND = 160; // cells beyond the grid on each side, at most

export class Surface {
  constructor() {
    this.values = new Float32Array(GRID * GRID);
    this.layer = document.createElement("canvas");
    this.image = null;
    this.key = ""; // what the values are of
    this.layerKey = ""; // what the layer was painted for
    this.lines = [];
    this.start = { frame: null, lines: [] };
  }

  clear() {
    this.key = this.layerKey = "";
    this.lines = [];
    this.start = { frame: null, lines: [] };
  }

  // The surface at a position of a film: linear between two frames.
  set(film, position) {
    const at = Math.min(film.last, Math.floor(position));
    const t = at < film.last && !film.isChosen(at + 1) ? position - at : 0;
    const key = `${film.number}:${at}:${t}`;
    if (this.key === key) return;
    this.key = key;
    const a = film.frames[at].surface;
    const b = film.frames[Math.min(at + 1, film.last)].surface;
    for (let c = 0; c < a.length; c++) this.values[c] = t ? a[c] + (b[c] - a[c]) * t : a[c];
    this.lines = findContours(this.values);
  }

  startLines(frame) {
    if (this.start.frame !== frame) this.start = { frame, lines: findContours(Float32Array.from(frame.surface)) };
    return this.start.lines;
  }

  // quality: how smoothly it is drawn large; while it moves nobody sees more than "low".
  // Paints the surface over the whole view: beyond its grid the outermost values go on.
  paint(pen, view, theme, quality = "high") {
    this.fill(pen, view, quality, `${this.key}:${theme.key}`, (value, data, byte) => {
      const at = Math.round(value) * 3;
      data[byte] = theme.ramp[at];
      data[byte + 1] = theme.ramp[at + 1];
      data[byte + 2] = theme.ramp[at + 2];
    });
  }

  // Paints the difference of two surfaces of one plane, `most` of it in full colour.
  paintDifference(pen, view, theme, most, quality = "high") {
    const paint = (value, data, byte) => mixDifference(theme, value, most, data, byte);
    this.fill(pen, view, quality, `${this.key}:${theme.key}:${most}`, paint);
  }

  fill(pen, { width, height, x, y, kx, ky, unit }, quality, key, paint) {
    const [boxWidth, boxHeight] = [2 * unit * kx, 2 * unit * ky];
    const [cellX, cellY] = [boxWidth / (GRID - 1), boxHeight / (GRID - 1)]; // the outermost values lie on the box's edge
    const [left, top] = [x - boxWidth / 2, y - boxHeight / 2];
    const countBeyond = (gap, cell) => Math.min(MOST_BEYOND, Math.max(1, Math.ceil(gap / cell) + 1));
    const beyondX = countBeyond(Math.max(left, width - left - boxWidth), cellX);
    const beyondY = countBeyond(Math.max(top, height - top - boxHeight), cellY);
    const [columns, rows] = [GRID + 2 * beyondX, GRID + 2 * beyondY];
    const layerKey = `${key}:${columns}:${rows}`;
    if (this.layerKey !== layerKey) {
      this.layerKey = layerKey;
      this.paintLayer(columns, rows, beyondX, beyondY, paint);
    }
    pen.imageSmoothingEnabled = true;
    pen.imageSmoothingQuality = quality;
    pen.drawImage(this.layer, left - (beyondX + 0.5) * cellX, top - (beyondY + 0.5) * cellY, columns * cellX, rows * cellY);
  }

  paintLayer(columns, rows, beyondX, beyondY, paint) {
    const layerPen = this.layer.getContext("2d");
    if (this.layer.width !== columns || this.layer.height !== rows || !this.image) {
      this.layer.width = columns;
      this.layer.height = rows;
      this.image = layerPen.createImageData(columns, rows);
    }
    const { data } = this.image;
    for (let row = 0, byte = 0; row < rows; row++) {
      const gridY = clampToGrid(rows - 1 - row - beyondY) * GRID; // row 0 of the surface is at the bottom
      for (let column = 0; column < columns; column++, byte += 4) {
        paint(this.values[gridY + clampToGrid(column - beyondX)], data, byte);
        data[byte + 3] = 255;
      }
    }
    layerPen.putImageData(this.image, 0, 0);
  }
}

// Adds contours to the pen's path. Lines that end at the grid's edge go straight on, as the painted surface does.
export function traceContours(pen, lines, { x, y, kx, ky, unit }) {
  const [cellX, cellY] = [(2 * unit * kx) / (GRID - 1), (2 * unit * ky) / (GRID - 1)];
  const [left, bottom] = [x - unit * kx, y + unit * ky];
  pen.beginPath();
  for (const line of lines) {
    traceLine(pen, line, left, bottom, cellX, cellY);
    traceBeyond(pen, line[0], line[1], left, bottom, cellX, cellY);
    traceBeyond(pen, line.at(-2), line.at(-1), left, bottom, cellX, cellY);
  }
}

function traceBeyond(pen, gridX, gridY, left, bottom, cellX, cellY) {
  const away = (place) => (place <= 0 ? -MOST_BEYOND : place >= GRID - 1 ? MOST_BEYOND : 0);
  const [awayX, awayY] = [away(gridX), away(gridY)];
  if (!awayX && !awayY) return;
  pen.moveTo(left + gridX * cellX, bottom - gridY * cellY);
  pen.lineTo(left + (gridX + awayX) * cellX, bottom - (gridY + awayY) * cellY);
}

export function strokeStart(pen, theme) {
  pen.setLineDash([2, 6]);
  strokePath(pen, theme.fadePaper(0.8), 4);
  strokePath(pen, theme.fadeInk(0.72), 1.8);
  pen.setLineDash([]);
}

// The boundary of a second film.
export function strokeOther(pen, theme) {
  pen.setLineDash([7, 5]);
  strokePath(pen, theme.fadePaper(0.8), 4);
  strokePath(pen, theme.ink, 1.8);
  pen.setLineDash([]);
}

export function strokeBoundary(pen, theme) {
  strokePath(pen, theme.fadePaper(0.7), 5);
  strokePath(pen, theme.ink, 2.2);
}

function clampToGrid(place) {
  return Math.min(GRID - 1, Math.max(0, place));
}
