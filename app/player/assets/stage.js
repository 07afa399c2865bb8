// The stage: surface, boundary, real and synthetic points on one canvas; and the point that a person points at.

import { GRID, HALF, UNIT } from "./data.js";

export const FACTORS = [1, 3, 10, 30]; // by which movement can be magnified
const POINTER_REACH = 12; // px, to a synthetic point
const ARROW_LENGTH = 46; // px, of the longest arrow of the meta-gradient; an arrow a quarter as strong is half as long
const EDGE = 10; // px from the stage's edge to the arrow of a point outside it

const LIGHT = {
  majority: "#0072B2", low: "#0072B2", high: "#D55E00", lowMix: 0.42, highMix: 0.46, edge: "#FFFFFF",
  minority: ["#D55E00", "#8A6100", "#00795A", "#5B5B5B"], trail: "#C4268A", synthetic: "#86125C", helps: "#005C42", fill: "#FFFFFF",
  halo: "rgba(255,255,255,0.8)",
};
const DARK = {
  majority: "#56B4E9", low: "#0072B2", high: "#D55E00", lowMix: 0.5, highMix: 0.46, edge: "#10161A",
  minority: ["#FF8B3D", "#F0C24B", "#3FCFA5", "#C9C9C9"], trail: "#FF86CE", synthetic: "#FFC9EA", helps: "#57E3B6", fill: "#2A0F20",
  halo: "rgba(0,0,0,0.55)",
};
const SHAPES = ["triangle", "square", "wedge", "pentagon", "cross"]; // of minority classes, in order; the majority is a circle

export class Stage {
  // invalidate(): the picture has changed; showSelection(): another point is pointed at.
  constructor(root, ui, film, clock, { invalidate, showSelection }) {
    this.root = root;
    this.ui = ui;
    this.film = film;
    this.clock = clock;
    this.invalidate = invalidate;
    this.showSelection = showSelection;
    this.pen = ui.canvas.getContext("2d");
    this.size = null; // [width, height] in px
    this.view = null; // view box -> px, see `layout`
    this.maxDpr = 3; // canvas pixels per px, at most
    this.dpr = 1;
    this.font = "";
    this.theme = null;
    this.shown = { majority: true, surface: true, trails: true, threads: true, contributions: true, arrows: false };
    this.factor = 1;
    this.selected = -1; // the synthetic point that was pressed
    this.hovered = null; // {synthetic: number} or {real: number}
    this.drawn = null; // px of the synthetic points as they were drawn last [2n]
    this.realLayer = document.createElement("canvas"); // real points: they never move
    this.realKey = ""; // what the layer was drawn for, as the keys below
    this.surfaceLayer = document.createElement("canvas");
    this.surfaceImage = null;
    this.surfaceKey = "";
    this.surface = new Float32Array(GRID * GRID); // between two frames
    this.boundary = [];
    this.boundaryKey = "";
    this.startBoundary = [];
    this.startFrame = null; // the frame of `startBoundary`
    this.readTheme();
  }

  reset() {
    this.selected = -1;
    this.hovered = null;
    this.boundary = [];
    this.boundaryKey = "";
    this.clearLayers();
  }

  snapshot() {
    const { shown, factor } = this;
    return { shown, factor };
  }

  restore(snapshot) {
    Object.assign(this, snapshot);
  }

  clearLayers() {
    this.realKey = this.surfaceKey = "";
  }

  // ---- geometry: view box units <-> pixels ----

  resize() {
    this.dpr = Math.min(this.maxDpr, (window.devicePixelRatio || 1) * pageZoom(this.root));
    this.font = getComputedStyle(this.root).fontFamily;
    this.size = fitCanvas(this.ui.canvas, this.ui.stage, this.dpr);
    this.layout();
  }

  layout() {
    this.clearLayers();
    const { scene } = this.film;
    if (!this.size || !scene) return;
    const [width, height] = this.size;
    const [halfX, halfY] = scene.half;
    const scale = Math.min(width / (2 * halfX), height / (2 * halfY)); // px per sd: the box fills the stage one way
    this.view = { width, height, scale, x: width / 2, y: height / 2, kx: (halfX * scale) / UNIT, ky: (halfY * scale) / UNIT };
  }

  toPixels(points, i) {
    const { x, y, kx, ky } = this.view;
    return [x + points[2 * i] * kx, y - points[2 * i + 1] * ky];
  }

  // Pixels of the synthetic points at a clock position [2n], movement magnified; null where there are none.
  placePoints(position) {
    const { film, factor } = this;
    const at = Math.floor(position);
    const a = film.frames[at]?.points;
    if (!a?.length || !this.view) return null;
    const b = film.frames[at + 1]?.points;
    const t = b && b.length === a.length && !film.isChosen(at + 1) ? position - at : 0;
    const out = new Float32Array(a.length);
    const origin = film.originsOf(a.length);
    const { x, y, kx, ky } = this.view;
    for (let i = 0; i < a.length; i += 2) {
      const u = a[i] + (t ? (b[i] - a[i]) * t : 0);
      const v = a[i + 1] + (t ? (b[i + 1] - a[i + 1]) * t : 0);
      out[i] = x + (origin[i] + factor * (u - origin[i])) * kx;
      out[i + 1] = y - (origin[i + 1] + factor * (v - origin[i + 1])) * ky;
    }
    return out;
  }

  // How far the points of a frame are drawn from their start, in px, sorted.
  measureMoves(index) {
    const points = this.film.frames[index]?.points;
    if (!points?.length || !this.view) return [];
    const from = this.film.startFrame.points;
    if (from.length !== points.length) return [];
    const { kx, ky } = this.view;
    const out = [];
    for (let i = 0; i < from.length; i += 2) {
      out.push(this.factor * Math.hypot((points[i] - from[i]) * kx, (points[i + 1] - from[i + 1]) * ky));
    }
    return out.sort((p, q) => p - q);
  }

  // ---- colours ----

  // Reads the page's colours; whether they have changed.
  readTheme() {
    const style = getComputedStyle(this.root);
    const paper = parseColour(style.getPropertyValue("--st-background-color")) ?? [255, 255, 255];
    const ink = parseColour(style.getPropertyValue("--st-text-color")) ?? [34, 34, 34];
    const key = `${paper}|${ink}`;
    if (key === this.theme?.key) return false;
    this.theme = makeTheme(key, paper, ink);
    this.clearLayers();
    return true;
  }

  // Shape and colour of a class; the two together tell 20 minority classes apart.
  markerOf(label) {
    const { majority } = this.film.scene;
    const { palette } = this.theme;
    if (label === majority) return { shape: "circle", colour: palette.majority };
    const number = label - (label > majority ? 1 : 0);
    return { shape: SHAPES[number % SHAPES.length], colour: palette.minority[number % palette.minority.length] };
  }

  // ---- drawing ----

  draw() {
    const { pen, dpr, film } = this;
    const [width, height] = this.size;
    pen.setTransform(dpr, 0, 0, dpr, 0, 0);
    pen.fillStyle = this.theme.paper;
    pen.fillRect(0, 0, width, height);
    if (!film.scene || !this.view) return;
    if (film.last >= 0) this.drawSurface();
    this.drawRealPoints();
    if (film.last >= 0) this.drawSyntheticPoints();
    this.drawScaleBar();
  }

  drawSurface() {
    const { film, clock } = this;
    const at = Math.min(film.last, Math.floor(clock.position));
    const t = at < film.last && !film.isChosen(at + 1) ? clock.position - at : 0;
    const key = `${at}:${t}`;
    if (this.boundaryKey !== key) {
      this.boundaryKey = key;
      this.interpolateSurface(at, t);
      this.boundary = findContours(this.surface);
    }
    const { x, y, kx, ky } = this.view;
    const [width, height] = [2 * UNIT * kx, 2 * UNIT * ky];
    // The outermost values lie on the box's edge.
    const [cellX, cellY] = [width / (GRID - 1), height / (GRID - 1)];
    const box = { left: x - width / 2, top: y - height / 2, width, height, cellX, cellY };
    if (this.shown.surface) this.drawSurfaceLayer(key, box);
    this.drawBoundaries(at, box);
  }

  interpolateSurface(at, t) {
    const { frames, last } = this.film;
    const a = frames[at].surface;
    const b = frames[Math.min(at + 1, last)].surface;
    for (let c = 0; c < a.length; c++) this.surface[c] = t ? a[c] + (b[c] - a[c]) * t : a[c];
  }

  drawSurfaceLayer(key, box) {
    const { pen, surfaceLayer } = this;
    const { width, height } = this.view;
    const { left, top, cellX, cellY } = box;
    // Cells beyond the box, in which the surface fades out.
    const fadeX = Math.min(60, Math.ceil((width - box.width) / 2 / cellX) + 1);
    const fadeY = Math.min(60, Math.ceil((height - box.height) / 2 / cellY) + 1);
    const columns = GRID + 2 * fadeX;
    const rows = GRID + 2 * fadeY;
    const surfaceKey = `${key}:${columns}:${rows}:${this.theme.key}`;
    if (this.surfaceKey !== surfaceKey) {
      this.surfaceKey = surfaceKey;
      const layerPen = surfaceLayer.getContext("2d");
      if (surfaceLayer.width !== columns || surfaceLayer.height !== rows || !this.surfaceImage) {
        surfaceLayer.width = columns;
        surfaceLayer.height = rows;
        this.surfaceImage = layerPen.createImageData(columns, rows);
      }
      paintSurface(this.surfaceImage, this.surface, this.theme.ramp, fadeX, fadeY);
      layerPen.putImageData(this.surfaceImage, 0, 0);
    }
    pen.imageSmoothingEnabled = true;
    pen.imageSmoothingQuality = "high";
    pen.drawImage(surfaceLayer, left - (fadeX + 0.5) * cellX, top - (fadeY + 0.5) * cellY, columns * cellX, rows * cellY);
  }

  drawBoundaries(at, { left, top, height, cellX, cellY }) {
    const { pen, film, theme } = this;
    const trace = (lines) => {
      pen.beginPath();
      for (const line of lines) traceLine(pen, line, left, top + height, cellX, cellY);
    };
    pen.lineJoin = pen.lineCap = "round";
    if (film.startIndex >= 0 && film.startIndex < at) {
      if (this.startFrame !== film.startFrame) {
        this.startFrame = film.startFrame;
        this.startBoundary = findContours(Float32Array.from(film.startFrame.surface));
      }
      trace(this.startBoundary);
      pen.setLineDash([2, 6]);
      strokePath(pen, theme.fadePaper(0.8), 4);
      strokePath(pen, theme.fadeInk(0.72), 1.8);
      pen.setLineDash([]);
    }
    trace(this.boundary);
    strokePath(pen, theme.fadePaper(0.7), 5);
    strokePath(pen, theme.ink, 2.2);
  }

  drawRealPoints() {
    const { dpr, realLayer } = this;
    const { width, height } = this.view;
    const key = `${width}x${height}@${dpr}|${this.theme.key}|${this.shown.majority}`;
    if (this.realKey !== key) {
      this.realKey = key;
      realLayer.width = Math.round(width * dpr);
      realLayer.height = Math.round(height * dpr);
      const pen = realLayer.getContext("2d");
      pen.setTransform(dpr, 0, 0, dpr, 0, 0);
      this.paintRealPoints(pen);
    }
    this.pen.drawImage(realLayer, 0, 0, width, height);
  }

  paintRealPoints(pen) {
    const { points, labels, majority } = this.film.scene;
    const majoritySize = labels.length > 600 ? 2.4 : 3.1;
    const order = [...labels.keys()].sort((p, q) => (labels[q] === majority) - (labels[p] === majority));
    for (const i of order) {
      const isMajority = labels[i] === majority;
      if (isMajority && !this.shown.majority) continue;
      const { shape, colour } = this.markerOf(labels[i]);
      pen.globalAlpha = isMajority ? 0.85 : 1;
      pen.beginPath();
      traceShape(pen, shape, ...this.toPixels(points, i), isMajority ? majoritySize : 6);
      pen.fillStyle = colour;
      pen.fill();
      strokePath(pen, this.theme.palette.edge, isMajority ? 0.8 : 1.4);
    }
  }

  drawSyntheticPoints() {
    const { pen, clock, film } = this;
    const places = this.placePoints(Math.min(clock.position, film.last));
    this.drawn = places;
    if (!places) return;
    const n = places.length / 2;
    const size = n > 120 ? 3.8 : 5.2;
    pen.lineCap = pen.lineJoin = "round";
    if (this.shown.threads) this.drawThreads(places);
    if (this.shown.trails) this.drawTrails(places);
    const selected = this.findSelected();
    if (selected >= 0) this.drawSelectedPath(selected);
    const { width, height } = this.view;
    const isOutside = (i) => places[2 * i] < 0 || places[2 * i + 1] < 0 || places[2 * i] > width || places[2 * i + 1] > height;
    const inside = [];
    const outside = [];
    for (let i = 0; i < n; i++) (isOutside(i) ? outside : inside).push(i);
    this.drawMarkers(places, inside, size);
    if (this.showsArrows(n)) this.drawArrows(places, inside);
    if (outside.length) this.drawOutside(places, outside);
    if (selected >= 0) this.drawSelectedMarker(places, selected, size);
    this.placeTip();
  }

  // From each point to the row it was copied from.
  drawThreads(places) {
    const { pen } = this;
    const origin = this.film.originsOf(places.length);
    pen.beginPath();
    for (let i = 0; i < places.length / 2; i++) {
      pen.moveTo(...this.toPixels(origin, i));
      pen.lineTo(places[2 * i], places[2 * i + 1]);
    }
    strokePath(pen, this.theme.fadeInk(0.5), 0.9);
  }

  // The way the points came: longer while the picture stands still, shorter where there are many.
  drawTrails(places) {
    const { pen, clock, film } = this;
    const { palette } = this.theme;
    const n = places.length / 2;
    const [most, budget] = clock.isMoving ? [28, 3600] : [70, 9000];
    const reach = Math.max(6, Math.min(most, Math.round(budget / n)));
    const end = film.trainedIndex(Math.floor(clock.position));
    const path = [places];
    for (let back = 0; back <= Math.min(reach, end - film.startIndex); back++) {
      const older = this.placePoints(end - back);
      if (older?.length === places.length) path.push(older);
    }
    for (const [colour, extra, strength] of [[palette.halo, 2.4, 0.7], [palette.trail, 0, 1]]) {
      for (let back = path.length - 1; back > 0; back--) {
        const age = (back - 1) / Math.max(1, Math.min(reach, path.length)); // the tail ends thin, however short it is
        pen.globalAlpha = strength * Math.pow(1 - 0.92 * age, 1.4);
        pen.beginPath();
        const a = path[back];
        const b = path[back - 1];
        for (let i = 0; i < a.length; i += 2) {
          pen.moveTo(a[i], a[i + 1]);
          pen.lineTo(b[i], b[i + 1]);
        }
        strokePath(pen, colour, 0.9 + 2.3 * (1 - age) + extra);
      }
    }
    pen.globalAlpha = 1;
  }

  // Points that lower the validation loss are filled, the others open: what lies under those, such as their parents, is seen.
  drawMarkers(places, inside, size) {
    const { pen } = this;
    const { palette } = this.theme;
    const n = places.length / 2;
    const known = this.shown.contributions ? this.film.contributionsOf(n) : null;
    const scaleOf = (i) => (known?.ranks.has(i) ? 0.7 + 0.9 * Math.sqrt(Math.abs(known.values[i]) / known.largest) : 1);
    const helps = (i) => Boolean(known?.values[i] < 0);
    for (const isFilled of [false, true]) {
      pen.beginPath();
      for (const i of inside) {
        if (helps(i) === isFilled) traceShape(pen, "diamond", places[2 * i], places[2 * i + 1], size * scaleOf(i));
      }
      pen.globalAlpha = isFilled ? 0.9 : 0.6;
      pen.fillStyle = isFilled ? palette.helps : palette.fill;
      pen.fill();
      strokePath(pen, palette.halo, n > 120 ? 2.6 : 4);
      pen.globalAlpha = 1;
      strokePath(pen, isFilled ? palette.helps : palette.synthetic, n > 120 ? 1.4 : 2);
    }
  }

  // Arrows belong to the points and the network of the chosen epoch, which is the last frame.
  showsArrows(n) {
    const isLast = Math.floor(this.clock.position) === this.film.last;
    return this.shown.arrows && isLast && Boolean(this.film.contributionsOf(n)?.downhill);
  }

  drawArrows(places, inside) {
    const { pen } = this;
    const { downhill, lengths, longest } = this.film.contributions;
    pen.beginPath();
    for (const i of inside) {
      const length = ARROW_LENGTH * Math.sqrt(lengths[i] / longest);
      if (!(length >= 3)) continue;
      const [x, y] = [places[2 * i], places[2 * i + 1]];
      const turn = Math.atan2(-downhill[2 * i + 1], downhill[2 * i]);
      const [tipX, tipY] = [x + length * Math.cos(turn), y + length * Math.sin(turn)];
      const barb = Math.min(7, length / 2);
      pen.moveTo(x, y);
      pen.lineTo(tipX, tipY);
      for (const side of [2.6, -2.6]) {
        pen.moveTo(tipX, tipY);
        pen.lineTo(tipX + barb * Math.cos(turn + side), tipY + barb * Math.sin(turn + side));
      }
    }
    strokePath(pen, this.theme.palette.halo, 4);
    strokePath(pen, this.theme.ink, 1.6);
  }

  // Arrows at the stage's edge; a pointer finds the points there.
  drawOutside(places, outside) {
    const { pen } = this;
    const { width, height } = this.view;
    pen.fillStyle = this.theme.palette.synthetic;
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
      strokePath(pen, this.theme.palette.fill, 1.5);
      places[2 * i] = edgeX;
      places[2 * i + 1] = edgeY;
    }
  }

  drawSelectedPath(i) {
    const { pen, film } = this;
    const { palette } = this.theme;
    pen.beginPath();
    let isOpen = false;
    for (let at = film.startIndex; at <= film.last; at++) {
      const places = film.isChosen(at) ? null : this.placePoints(at);
      if (!places || 2 * i >= places.length) continue;
      if (isOpen) pen.lineTo(places[2 * i], places[2 * i + 1]);
      else pen.moveTo(places[2 * i], places[2 * i + 1]);
      isOpen = true;
    }
    strokePath(pen, palette.fill, 6);
    strokePath(pen, palette.synthetic, 2.6);
    pen.beginPath();
    pen.arc(...this.toPixels(film.originsOf(this.drawn.length), i), 10, 0, 7);
    strokePath(pen, palette.fill, 4);
    strokePath(pen, palette.synthetic, 2);
  }

  drawSelectedMarker(places, i, size) {
    const { pen } = this;
    const { palette } = this.theme;
    pen.beginPath();
    traceShape(pen, "diamond", places[2 * i], places[2 * i + 1], size + 3);
    pen.fillStyle = palette.synthetic;
    pen.fill();
    strokePath(pen, palette.fill, 2);
  }

  drawScaleBar() {
    const { pen, theme } = this;
    const { width, height, scale } = this.view;
    const sd = [0.1, 0.2, 0.5, 1, 2, 5].find((value) => value * scale >= 34) ?? 10;
    const length = sd * scale;
    const right = width - 12;
    const bottom = height - 10;
    pen.beginPath();
    pen.moveTo(right - length, bottom - 4);
    pen.lineTo(right - length, bottom);
    pen.lineTo(right, bottom);
    pen.lineTo(right, bottom - 4);
    pen.lineCap = "butt";
    strokePath(pen, theme.fadePaper(0.7), 4);
    strokePath(pen, theme.fadeInk(0.8), 1.4);
    pen.font = `11px ${this.font}`;
    pen.textAlign = "center";
    pen.textBaseline = "alphabetic";
    pen.lineWidth = 3;
    pen.strokeStyle = theme.fadePaper(0.8);
    pen.strokeText(`${sd} sd`, right - length / 2, bottom - 6);
    pen.fillStyle = theme.fadeInk(0.85);
    pen.fillText(`${sd} sd`, right - length / 2, bottom - 6);
  }

  // ---- the selected point ----

  // The number of the synthetic point that is hovered or selected, -1 where the frame shown has none.
  findSelected() {
    const n = (this.film.frames[Math.min(this.film.last, Math.floor(this.clock.position))]?.points.length ?? 0) / 2;
    const selected = this.hovered?.synthetic ?? this.selected;
    return selected < n ? selected : -1;
  }

  hover(event) {
    const found = this.findPoint(...locate(this.ui.canvas, event));
    if (found?.synthetic === this.hovered?.synthetic && found?.real === this.hovered?.real) return;
    this.ui.stage.classList.toggle("pointing", Boolean(found));
    this.select(this.selected, found);
  }

  // The point nearest to a place in px that a pointer there reaches; synthetic points come first.
  findPoint(x, y) {
    const { film, drawn, view } = this;
    let found = null;
    let nearest = POINTER_REACH;
    for (let i = 0; drawn && film.last >= 0 && i < drawn.length; i += 2) {
      const distance = Math.hypot(drawn[i] - x, drawn[i + 1] - y);
      if (distance <= nearest) [nearest, found] = [distance, { synthetic: i / 2 }];
    }
    if (found || !film.scene || !view) return found;
    const { points, labels, majority } = film.scene;
    nearest = POINTER_REACH - 3;
    for (let i = 0; i < labels.length; i++) {
      if (labels[i] === majority && !this.shown.majority) continue;
      const [pointX, pointY] = this.toPixels(points, i);
      const distance = Math.hypot(pointX - x, pointY - y);
      if (distance < nearest) [nearest, found] = [distance, { real: i }];
    }
    return found;
  }

  select(selected, hovered) {
    this.selected = selected;
    this.hovered = hovered;
    this.showSelection();
    this.invalidate();
  }

  // Selects the next synthetic point, or the one before; whether there is one.
  selectNext(by) {
    const n = (this.film.frames[Math.floor(this.clock.position)]?.points.length ?? 0) / 2;
    if (!n) return false;
    this.select(this.selected < 0 ? (by > 0 ? 0 : n - 1) : (this.selected + by + n) % n, null);
    return true;
  }

  placeTip() {
    const { tip } = this.ui;
    if (tip.hidden || !this.view) return;
    const selected = this.findSelected();
    let x;
    let y;
    if (selected >= 0 && this.drawn) [x, y] = [this.drawn[2 * selected], this.drawn[2 * selected + 1]];
    else if (this.hovered?.real !== undefined) [x, y] = this.toPixels(this.film.scene.points, this.hovered.real);
    else return;
    const { width, height } = this.view;
    const [tipWidth, tipHeight] = [tip.offsetWidth, tip.offsetHeight];
    let left = x + 16;
    let top = y - tipHeight / 2;
    if (left + tipWidth > width) left = x - 16 - tipWidth;
    if (left < 4) [left, top] = [x - tipWidth / 2, y > height / 2 ? y - 18 - tipHeight : y + 18]; // no room beside it
    left = Math.min(width - tipWidth - 4, Math.max(4, left));
    top = Math.min(height - tipHeight - 4, Math.max(4, top));
    tip.style.transform = `translate(${Math.round(left)}px, ${Math.round(top)}px)`;
  }
}

// ---- contours ----

// Marching squares at one half: lines of [x, y, x, y, ...] in grid units, closed ones end where they began.
function findContours(values) {
  const { links, edges } = linkEdges(values);
  const isVisited = new Uint8Array(2 * GRID * GRID);
  const lines = [];
  const follow = (start) => {
    const line = [];
    let edge = start;
    while (edge >= 0 && !isVisited[edge]) {
      isVisited[edge] = 1;
      line.push(...crossEdge(values, edge));
      const one = links[2 * edge];
      const two = links[2 * edge + 1];
      if (one >= 0 && !isVisited[one]) edge = one;
      else if (two >= 0 && !isVisited[two]) edge = two;
      else edge = one === start || two === start ? start : -1;
      if (edge === start) {
        line.push(line[0], line[1]);
        break;
      }
    }
    if (line.length >= 4) lines.push(smoothLine(line));
  };
  for (const edge of edges) if (!isVisited[edge] && links[2 * edge + 1] < 0) follow(edge); // open lines from their ends
  for (const edge of edges) if (!isVisited[edge]) follow(edge);
  return lines;
}

// The grid's edges that the contour crosses, and for each the one or two edges its line goes on to (-1: none). Edge 2 * at goes
// from value `at` to the right, edge 2 * at + 1 up.
function linkEdges(values) {
  const links = new Int32Array(2 * GRID * GRID * 2).fill(-1);
  const join = (a, b) => {
    links[2 * a + (links[2 * a] < 0 ? 0 : 1)] = b;
    links[2 * b + (links[2 * b] < 0 ? 0 : 1)] = a;
  };
  const edges = [];
  for (let y = 0; y < GRID - 1; y++) {
    for (let x = 0; x < GRID - 1; x++) {
      const at = y * GRID + x;
      const a = values[at] > HALF;
      const b = values[at + 1] > HALF;
      const c = values[at + GRID + 1] > HALF;
      const d = values[at + GRID] > HALF;
      if (a === b && b === c && c === d) continue;
      const [bottom, right, top, left] = [2 * at, 2 * (at + 1) + 1, 2 * (at + GRID), 2 * at + 1];
      const crossed = [];
      if (a !== b) crossed.push(bottom);
      if (b !== c) crossed.push(right);
      if (c !== d) crossed.push(top);
      if (d !== a) crossed.push(left);
      edges.push(...crossed);
      if (crossed.length === 2) join(crossed[0], crossed[1]);
      else {
        const middle = (values[at] + values[at + 1] + values[at + GRID] + values[at + GRID + 1]) / 4 > HALF;
        if (middle === a) { join(bottom, right); join(top, left); } else { join(bottom, left); join(top, right); }
      }
    }
  }
  return { links, edges };
}

// Where the contour crosses an edge, in grid units.
function crossEdge(values, edge) {
  const at = edge >> 1;
  const isUp = edge & 1;
  const x = at % GRID;
  const y = (at - x) / GRID;
  const t = (HALF - values[at]) / (values[isUp ? at + GRID : at + 1] - values[at]);
  return isUp ? [x, y + t] : [x + t, y];
}

// The surface comes in 256 steps, which make a line through flat ground jitter: each inner point moves half way to the middle
// of its neighbours, twice; that is less than half a cell.
function smoothLine(line) {
  for (let pass = 0; pass < 2; pass++) {
    let [x, y] = line;
    for (let i = 2; i < line.length - 2; i += 2) {
      const [oldX, oldY] = [line[i], line[i + 1]];
      line[i] = (x + 2 * oldX + line[i + 2]) / 4;
      line[i + 1] = (y + 2 * oldY + line[i + 3]) / 4;
      [x, y] = [oldX, oldY];
    }
  }
  return line;
}

// Adds a line through the middles of its pieces to the path, rounded at its corners.
function traceLine(pen, line, left, bottom, cellX, cellY) {
  const x = (i) => left + line[2 * i] * cellX;
  const y = (i) => bottom - line[2 * i + 1] * cellY;
  const count = line.length / 2;
  pen.moveTo(x(0), y(0));
  for (let i = 1; i < count - 1; i++) pen.quadraticCurveTo(x(i), y(i), (x(i) + x(i + 1)) / 2, (y(i) + y(i + 1)) / 2);
  pen.lineTo(x(count - 1), y(count - 1));
}

// ---- shapes and colours ----

export const CORNERS = {
  triangle: [[0, -1.1], [1, 0.75], [-1, 0.75]],
  wedge: [[0, 1.1], [1, -0.75], [-1, -0.75]],
  square: [[-0.8, -0.8], [0.8, -0.8], [0.8, 0.8], [-0.8, 0.8]],
  pentagon: [[0, -1], [0.95, -0.3], [0.6, 0.85], [-0.6, 0.85], [-0.95, -0.3]],
  cross: [
    [-0.35, -1], [0.35, -1], [0.35, -0.35], [1, -0.35], [1, 0.35], [0.35, 0.35],
    [0.35, 1], [-0.35, 1], [-0.35, 0.35], [-1, 0.35], [-1, -0.35], [-0.35, -0.35],
  ],
  diamond: [[0, -1.1], [1.1, 0], [0, 1.1], [-1.1, 0]],
};

function traceShape(pen, shape, x, y, size) {
  if (shape === "circle") {
    pen.moveTo(x + size, y);
    pen.arc(x, y, size, 0, 2 * Math.PI);
    return;
  }
  CORNERS[shape].forEach(([dx, dy], i) => pen[i ? "lineTo" : "moveTo"](x + dx * size, y + dy * size));
  pen.closePath();
}

export function strokePath(pen, style, width) {
  pen.strokeStyle = style;
  pen.lineWidth = width;
  pen.stroke();
}

// Fills the image with the surface's colours, row 0 of the surface at the bottom; beyond the box they fade out.
function paintSurface({ data, width, height }, surface, ramp, fadeX, fadeY) {
  for (let row = 0, byte = 0; row < height; row++) {
    const gridY = height - 1 - row - fadeY;
    const y = clampToGrid(gridY);
    const beyondY = Math.abs(gridY - y);
    for (let column = 0; column < width; column++, byte += 4) {
      const x = clampToGrid(column - fadeX);
      const beyondX = Math.abs(column - fadeX - x);
      const value = Math.round(surface[y * GRID + x]) * 3;
      data[byte] = ramp[value];
      data[byte + 1] = ramp[value + 1];
      data[byte + 2] = ramp[value + 2];
      const left = 1 - Math.min(1, Math.hypot(beyondX / Math.max(fadeX, 8), beyondY / Math.max(fadeY, 8)));
      data[byte + 3] = 255 * left * left * (beyondX || beyondY ? 0.9 : 1);
    }
  }
}

function clampToGrid(place) {
  return Math.min(GRID - 1, Math.max(0, place));
}

// paper, ink: [red, green, blue]; ramp: the colours of the surface's 256 values.
function makeTheme(key, paper, ink) {
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
    key, isDark, palette, ramp, paper: `rgb(${paper.join(",")})`, ink: `rgb(${ink.join(",")})`,
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

// ---- the page's pixels ----

// Makes a canvas as large as its element; [width, height] in px, null where the element has no area.
export function fitCanvas(canvas, element, dpr) {
  const size = [element.clientWidth, element.clientHeight];
  canvas.width = Math.round(size[0] * dpr);
  canvas.height = Math.round(size[1] * dpr);
  return size[0] && size[1] ? size : null;
}

// How many times as large as its own pixels the page shows an element.
function pageZoom(element) {
  return element.getBoundingClientRect().width / element.offsetWidth || 1;
}

// Where an event is in an element's own pixels.
export function locate(element, event) {
  const box = element.getBoundingClientRect();
  const zoom = box.width / element.clientWidth || 1;
  return [(event.clientX - box.left) / zoom, (event.clientY - box.top) / zoom];
}
