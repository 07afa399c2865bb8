// One film view: surface, boundary, rows and synthetic points on one canvas; and the point that a person points at.

import { markerOf, readTheme } from "./colours.js";
import { GRID } from "./units.js";
import {
  chooseArrows, drawArrows, drawOutside, drawPoints, drawScale, drawSelectedMark, drawSelectedPath, drawThreads, drawTrails, drawUnsafe, paintRows,
} from "./marks.js";
import { drawMaking } from "./making.js";
import { fitCanvas, locate, pageZoom } from "./pen.js";
import { findBox, layOut } from "./plane.js";
import { strokeBoundary, strokeOther, strokeStart, Surface, traceContours } from "./surface.js";

export const FACTORS = [1, 3, 10, 30]; // by which movement can be magnified
const POINTER_REACH = 12; // px, to a synthetic point

export class FilmView {
  // ui: {stage, canvas, tip}. clock: whose position and index it shows. invalidate(): the picture has changed;
  // showSelection(): another point is pointed at.
  constructor(root, ui, film, clock, { invalidate, showSelection }) {
    this.root = root;
    this.ui = ui;
    this.film = film;
    this.clock = clock;
    this.invalidate = invalidate;
    this.showSelection = showSelection;
    this.pen = ui.canvas.getContext("2d");
    this.size = null; // [width, height] in px
    this.box = null; // the part of the plane that is shown, see `findBox`
    this.view = null; // units -> px, see `layOut`
    this.maxDpr = 3; // canvas pixels per px, at most
    this.dpr = 1;
    this.font = "";
    this.theme = null;
    this.shown = { majority: true, surface: true, trails: true, threads: true, contributions: true, arrows: false, making: true, scale: true };
    this.factor = 1;
    this.selected = -1; // the synthetic point that was pressed
    this.hovered = null; // {synthetic: number} or {real: number}
    this.drawn = null; // px of the synthetic points as they were drawn last [2n]
    this.drawnArrows = 0; // how many arrows there were
    this.effects = []; // what each point does to the loss, see `listEffects`
    this.ghost = null; // {lines, scene}: an old boundary that is still shown
    this.overlay = null; // overlay(pen, view): drawn on top of all
    this.difference = null; // a `Difference`: drawn in place of the film's surface and points
    this.rowLayer = document.createElement("canvas"); // real rows: they never move
    this.rowKey = ""; // what the layer was drawn for
    this.surface = new Surface();
    this.readTheme();
  }

  reset() {
    this.selected = -1;
    this.hovered = null;
    this.box = null;
    this.effects = [];
    this.surface.clear();
    this.clearLayers();
  }

  snapshot() {
    const { shown, factor, box } = this;
    return { shown, factor, box };
  }

  restore(snapshot) {
    Object.assign(this, snapshot);
  }

  clearLayers() {
    this.rowKey = this.surface.layerKey = "";
  }

  // Shows another film, at once.
  setFilm(film) {
    this.film = film;
    this.reset();
  }

  // ---- geometry: units of the scene <-> pixels ----

  resize() {
    this.dpr = Math.min(this.maxDpr, (window.devicePixelRatio || 1) * pageZoom(this.root));
    this.font = getComputedStyle(this.root).fontFamily;
    this.size = fitCanvas(this.ui.canvas, this.ui.stage, this.dpr);
    this.layout();
  }

  // box: shared by films in one plane; without it the film's own, which only grows while frames come.
  layout(box = null) {
    const { scene } = this.film;
    if (!this.size || !scene) return;
    this.box = box ?? findBox([this.film], this.film.hasEnded ? null : this.box);
    this.view = layOut(this.box, scene, this.size);
  }

  toPixels(points, i) {
    const { x, y, kx, ky } = this.view;
    return [x + points[2 * i] * kx, y - points[2 * i + 1] * ky];
  }

  // A place in px -> data units of the plane (sd of the standardised features).
  toPlane(x, y) {
    const { view } = this;
    const { centre, half } = this.film.scene;
    const place = [(x - view.x) / view.kx / view.unit, (view.y - y) / view.ky / view.unit];
    return place.map((value, axis) => centre[axis] + value * half[axis]);
  }

  // The reverse of `toPlane`.
  fromPlane(planeX, planeY) {
    const { centre, half } = this.film.scene;
    return this.toPixels([planeX, planeY].map((value, axis) => ((value - centre[axis]) / half[axis]) * this.view.unit), 0);
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
    const theme = readTheme(this.root, this.theme);
    if (theme === this.theme) return false;
    this.theme = theme;
    this.clearLayers();
    return true;
  }

  markerOf(label) {
    return markerOf(label, this.film.scene.majority, this.theme.palette);
  }

  // ---- drawing ----

  draw() {
    const { pen, dpr, film } = this;
    if (!this.size) return;
    const [width, height] = this.size;
    pen.setTransform(dpr, 0, 0, dpr, 0, 0);
    pen.fillStyle = this.theme.paper;
    pen.fillRect(0, 0, width, height);
    if (!film.scene || !this.view) return;
    pen.lineJoin = pen.lineCap = "round";
    if (film.last >= 0) this.drawSurface();
    this.drawRows();
    if (film.last >= 0 && !this.difference) this.drawSyntheticPoints();
    if (this.shown.scale) drawScale(this);
    this.overlay?.(pen, this);
  }

  drawSurface() {
    const { pen, film, clock, view, theme, surface } = this;
    surface.set(film, clock.position);
    const quality = clock.isMoving ? "low" : "high";
    if (this.difference) this.difference.surface.paintDifference(pen, view, theme, this.difference.most, quality);
    else if (this.shown.surface) surface.paint(pen, view, theme, quality);
    if (this.difference) {
      traceContours(pen, this.difference.other.lines, view);
      strokeOther(pen, theme);
    } else if (this.ghost) {
      traceContours(pen, moveLines(this.ghost, film.scene), view);
      strokeStart(pen, theme);
    } else if (film.startIndex >= 0 && film.startIndex < Math.floor(clock.position)) {
      traceContours(pen, surface.startLines(film.startFrame), view);
      strokeStart(pen, theme);
    }
    traceContours(pen, surface.lines, view);
    strokeBoundary(pen, theme);
  }

  drawRows() {
    const { dpr, rowLayer } = this;
    const { width, height } = this.view;
    this.pen.globalAlpha = this.difference ? 0.35 : 1;
    const member = this.findSeen() ? Math.floor(this.clock.position) : "";
    const looks = `${this.theme.key}|${this.shown.majority}|${member}`;
    const key = `${this.film.number}:${width}x${height}@${dpr}|${looks}|${JSON.stringify(this.box)}`;
    if (this.rowKey !== key) {
      this.rowKey = key;
      rowLayer.width = Math.round(width * dpr);
      rowLayer.height = Math.round(height * dpr);
      const pen = rowLayer.getContext("2d");
      pen.setTransform(dpr, 0, 0, dpr, 0, 0);
      paintRows(pen, this);
    }
    this.pen.drawImage(rowLayer, 0, 0, width, height);
    this.pen.globalAlpha = 1;
  }

  // What the member saw that the frame shown adds, a byte a row; null where it is of none.
  findSeen() {
    const { film, clock } = this;
    const seen = film.frames[Math.min(film.last, Math.floor(clock.position))]?.seen;
    return seen?.length === film.scene.labels.length ? seen : null;
  }

  drawSyntheticPoints() {
    const { pen, clock, film, shown } = this;
    const places = this.placePoints(Math.min(clock.position, film.last));
    this.drawn = places;
    this.drawnArrows = 0;
    if (!places) return;
    const n = places.length / 2;
    const size = n > 120 ? 3.8 : 5.2;
    const effects = this.listEffects(n);
    pen.lineCap = pen.lineJoin = "round";
    if (shown.making && film.scene.making) drawMaking(this, places);
    if (shown.threads) drawThreads(this, places);
    if (shown.trails) drawTrails(this, places, effects);
    const selected = this.findSelected();
    if (selected >= 0) drawSelectedPath(this, selected);
    const { width, height } = this.view;
    const isOutside = (i) => places[2 * i] < 0 || places[2 * i + 1] < 0 || places[2 * i] > width || places[2 * i + 1] > height;
    const inside = [];
    const outside = [];
    for (let i = 0; i < n; i++) (isOutside(i) ? outside : inside).push(i);
    drawPoints(this, places, effects, inside, size);
    const unsafe = film.frames[Math.min(film.last, Math.floor(clock.position))]?.unsafe;
    if (unsafe?.length === n) drawUnsafe(this, places, unsafe, inside, size);
    if (this.showsArrows(n)) {
      const chosen = chooseArrows(film.contributions, inside);
      this.drawnArrows = chosen.length;
      drawArrows(this, places, chosen);
    }
    if (outside.length) drawOutside(this, places, outside);
    if (selected >= 0) drawSelectedMark(this, places, effects, selected, size);
    this.placeTip();
  }

  // For each point "lowers", "raises" or "unknown": by the sign of what it does to the validation loss.
  listEffects(n) {
    const known = this.shown.contributions ? this.film.contributionsOf(n) : null;
    if (this.effects.of !== known || this.effects.length !== n) {
      const name = (value) => (value < 0 ? "lowers" : value > 0 ? "raises" : "unknown");
      this.effects = Array.from({ length: n }, (_, i) => name(known?.values[i]));
      this.effects.of = known;
    }
    return this.effects;
  }

  // Arrows belong to the points and the network of the chosen epoch, which is the last frame; they are shown while it stands.
  showsArrows(n) {
    const { clock, film } = this;
    const isLast = Math.floor(clock.position) === film.last;
    return this.shown.arrows && isLast && !clock.isMoving && Boolean(film.contributionsOf(n)?.downhill);
  }

  // ---- the selected point ----

  // The number of the synthetic point that is hovered or selected, -1 where the frame shown has none.
  findSelected() {
    const n = (this.film.frames[Math.min(this.film.last, Math.floor(this.clock.position))]?.points.length ?? 0) / 2;
    const selected = this.hovered?.synthetic ?? this.selected;
    return selected < n ? selected : -1;
  }

  listen(on) {
    const { ui } = this;
    on(ui.canvas, "pointermove", (event) => this.hover(event));
    on(ui.canvas, "pointerdown", (event) => {
      this.hover(event);
      this.select(this.hovered?.synthetic ?? -1, this.hovered);
    });
    on(ui.canvas, "pointerleave", (event) => {
      if (event.pointerType === "touch") return;
      ui.stage.classList.remove("pointing");
      this.select(this.selected, null);
    });
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

// Lines of another scene's grid on the grid of this one.
function moveLines({ lines, scene }, { centre, half }) {
  const move = (place, axis) => {
    const inPlane = scene.centre[axis] + ((2 * place) / (GRID - 1) - 1) * scene.half[axis];
    return (((inPlane - centre[axis]) / half[axis] + 1) / 2) * (GRID - 1);
  };
  return lines.map((line) => line.map((place, i) => move(place, i % 2)));
}
