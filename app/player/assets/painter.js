// Draws what the stage shows, at any moment of its film, beside the stage: for pictures that are taken away.

import { makeMarks } from "./layout.js";
import { Difference, matchPosition } from "./pair.js";
import { FilmView } from "./view.js";

const GAP = 8; // px, between two films
const KEY_SIZE = [20, 16]; // px, of a mark in the key
const MARKS_LARGER = 1.3; // in a small picture, at most

export class Painter {
  // width: px of the picture. A picture much smaller than the stage has larger marks.
  constructor(stage, width = Infinity) {
    const isBoth = stage.isPair && stage.view === "both";
    this.theme = stage.theme;
    this.font = stage.views[0].font;
    this.hasDifference = Boolean(stage.views[0].difference);
    this.note = this.hasDifference ? stage.ui.marks.textContent : "";
    this.shrink = Math.min(1, (MARKS_LARGER * width) / stage.views[0].size[0]);
    this.films = [stage.clock.film, stage.films[1]].map(copyFilm);
    this.clock = { position: 0, isMoving: true, get index() { return Math.floor(this.position + 1e-6); } };
    const [left, right] = this.films;
    const follower = {
      at: () => matchPosition(left, this.clock.position, right),
      get position() { return this.at(); },
      get index() { return Math.floor(this.at() + 1e-6); },
      isMoving: true,
    };
    this.views = (isBoth || this.hasDifference ? [0, 1] : [0])
      .map((i) => this.copyView(stage, stage.views[i], this.films[i], i ? follower : this.clock, i));
    this.shown = isBoth ? this.views : [this.views[0]];
    this.difference = new Difference();
    if (this.hasDifference) this.difference.setPair(left, right);
    this.overlay = (pen, view) => stage.eachTool("draw", pen, view);
  }

  copyView(stage, from, film, clock, i) {
    const ui = { canvas: document.createElement("canvas"), stage: null, tip: { hidden: true } };
    const view = new FilmView(stage.root, ui, film, clock, { invalidate() {}, showSelection() {} });
    view.shown = from.shown;
    view.factor = from.factor;
    view.selected = from.selected;
    view.size = (from.size ?? stage.views[0].size).map((px) => px * this.shrink);
    view.box = from.box;
    view.font = from.font;
    const names = stage.listViews().filter(({ name }) => name !== "both" && name !== "difference");
    const own = i ? names[1] : names.find(({ name }) => name === stage.view) ?? names[0];
    view.label = names.length > 1 && !this.hasDifference ? own?.label ?? "" : "";
    return view;
  }

  get duration() { return this.films[0].duration; }

  // Of the films beside each other, in px of the stage.
  get size() {
    const width = this.shown.reduce((sum, view) => sum + view.size[0], GAP * (this.shown.length - 1));
    return [width, Math.max(...this.shown.map((view) => view.size[1]))];
  }

  momentOf(clock) {
    return this.duration ? Math.min(1, this.films[0].timeAt(clock.position) / this.duration) : 1;
  }

  // moment: from 0 to 1 of the film's time. ratio: canvas pixels per px of the pen.
  paint(pen, { x, y, width }, ratio, moment, isStill) {
    const [film] = this.films;
    const scale = width / this.size[0];
    this.clock.position = moment >= 1 ? film.last : film.positionAt(moment * this.duration);
    this.clock.isMoving = !isStill;
    for (const view of this.views) this.layOut(view, ratio * scale);
    if (this.hasDifference) this.setDifference();
    let left = x;
    for (const view of this.shown) {
      view.overlay = (own) => this.overlay(own, view);
      view.draw();
      const [viewWidth, viewHeight] = view.size;
      pen.drawImage(view.ui.canvas, left, y, viewWidth * scale, viewHeight * scale);
      if (view.label) this.drawLabel(pen, view.label, left + 8, y + 8);
      left += (viewWidth + GAP) * scale;
    }
  }

  layOut(view, dpr) {
    const { canvas } = view.ui;
    const [width, height] = view.size.map((px) => Math.round(px * dpr));
    if (canvas.width === width && canvas.height === height && view.dpr === dpr) return;
    view.dpr = dpr;
    canvas.width = width;
    canvas.height = height;
    view.layout(view.box);
  }

  setDifference() {
    const [left, right] = this.views;
    left.surface.set(left.film, left.clock.position);
    right.surface.set(right.film, right.clock.position);
    this.difference.set(left.surface, right.surface);
    left.difference = this.difference;
  }

  drawLabel(pen, text, x, y) {
    pen.font = `650 13px ${this.font}`;
    pen.textBaseline = "middle";
    pen.textAlign = "left";
    pen.fillStyle = this.theme.fadePaper(0.86);
    pen.fillRect(x, y, pen.measureText(text).width + 14, 22);
    pen.fillStyle = this.theme.ink;
    pen.fillText(text, x + 7, y + 11.5);
  }

  // The marks of the film with their names, ready to be drawn: [{text, draw(pen, x, y, scale)}], x and y of the mark's middle.
  async loadKey() {
    if (this.hasDifference) return [];
    const all = makeMarks(this.films[0], this.views[0]).map((mark) => ({ text: mark.textContent, svg: mark.querySelector("svg") }));
    const [marks, bare] = [all.filter(({ svg }) => svg), all.filter(({ svg }) => !svg)];
    if (!this.films[0].scene.exact) this.note = bare.map(({ text }) => text).join(" \u00b7 ");
    const [width, height] = KEY_SIZE;
    return Promise.all(marks.map(async ({ text, svg }) => {
      svg.setAttribute("width", 4 * width);
      svg.setAttribute("height", 4 * height);
      const image = new Image();
      image.src = `data:image/svg+xml,${encodeURIComponent(new XMLSerializer().serializeToString(svg))}`;
      await image.decode();
      return { text, draw: (pen, x, y, scale) => pen.drawImage(image, x - (scale * width) / 2, y - (scale * height) / 2, scale * width, scale * height) };
    }));
  }
}

// A film as it is now: the stage may show another one while this one is drawn.
function copyFilm(film) {
  return Object.assign(Object.create(Object.getPrototypeOf(film)), film);
}
