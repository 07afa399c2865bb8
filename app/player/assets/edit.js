// Editing points: minority rows that a person adds to the training rows of a points set, with the pointer or by keys.
// The points travel as base64url, without padding, of one record each: op (u8), x and y (i16, little endian) in thousandths of the
// set's units. engine/spec/points.py has the format; the one op adds a point.

import { locate, strokePath } from "./pen.js";
import { makeElement } from "./svg.js";
import { TEXT } from "./text.js";
import { EDIT } from "./texts.js";
import { UNIT } from "./units.js";

const ADD = 0; // the op of a record
const STEPS = 1000; // of a coordinate, per unit of the set
const FAR = 32767; // the largest coordinate, in steps
const RECORD = 5; // bytes
const REACH = 11; // px from an added point to a pointer or the cross that means it
const DRAG = 4; // px that a pointer moves before a press is a drag
const [FAST, SLOW] = [8, 1]; // px the cross moves
const ASKED = 0.55; // alpha of points that the form asks for and the film lacks
const SIZE = 8; // px from the middle of a star to its tips
const MOST_UNDONE = 200;
const NEAR = 3; // units of the view box: a row of a scene is rounded

// [[op, x, y], ...] in units of the set -> text.
export function encodePoints(points) {
  const bytes = new DataView(new ArrayBuffer(RECORD * points.length));
  points.forEach(([op, x, y], i) => {
    bytes.setUint8(RECORD * i, op);
    bytes.setInt16(RECORD * i + 1, Math.round(STEPS * x), true);
    bytes.setInt16(RECORD * i + 3, Math.round(STEPS * y), true);
  });
  const letters = btoa(String.fromCharCode(...new Uint8Array(bytes.buffer)));
  return letters.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

// The reverse; no points where the text is none.
export function decodePoints(text) {
  try {
    const letters = atob((text ?? "").replaceAll("-", "+").replaceAll("_", "/"));
    const bytes = new DataView(Uint8Array.from(letters, (letter) => letter.charCodeAt(0)).buffer);
    const count = Math.floor(bytes.byteLength / RECORD);
    return Array.from({ length: count }, (_, i) => {
      const read = (at) => bytes.getInt16(RECORD * i + at, true) / STEPS;
      return [bytes.getUint8(RECORD * i), read(1), read(3)];
    });
  } catch {
    return [];
  }
}

// The button, and what happens in the film while points are edited; a tool of the stage (tools.js).
export class Editor {
  constructor(stage) {
    this.stage = stage;
    this.points = []; // [[op, x, y], ...]
    this.most = 50;
    this.isActive = false;
    this.known = ""; // the page's newest word on the points
    this.sent = []; // texts that the page has not yet answered with
    this.view = stage.views[0]; // in which the cross is
    this.cross = null; // px
    this.chosen = -1; // number of the point that the cross is on
    this.drag = null; // {number, from: px, hasMoved, before}
    this.undone = []; // lists of points before each change
    this.button = makeElement("button", "tool edit", EDIT.button);
    this.button.type = "button";
    this.button.hidden = true;
    this.button.title = EDIT.hint;
    this.button.setAttribute("aria-pressed", "false");
    this.button.addEventListener("click", () => this.toggle());
    stage.actions.append(this.button);
    this.bar = this.makeBar();
    this.live = makeElement("div", "sr edit-live"); // the stage's own region tells of the film, which a preview changes at any moment
    this.live.setAttribute("aria-live", "polite");
    stage.root.append(this.live);
    this.view.ui.stage.append(this.bar);
  }

  makeBar() {
    const bar = makeElement("div", "edit-bar");
    bar.hidden = true;
    this.count = makeElement("b", "edit-count");
    this.help = makeElement("span", "edit-help", EDIT.help);
    bar.append(this.count, this.help);
    const buttons = [["undo", () => this.undo()], ["clear", () => this.clear()], ["done", () => this.leave()]];
    for (const [name, action] of buttons) {
      const button = makeElement("button", name, EDIT[name]);
      button.type = "button";
      button.addEventListener("click", action);
      bar.append(button);
    }
    return bar;
  }

  // ---- as a tool ----

  // The page's word on the points: {points, most}, none where they cannot be edited.
  receive({ edit }) {
    this.button.hidden = !edit;
    if (!edit) this.leave();
    this.most = edit?.most ?? 0;
    const text = edit?.points ?? "";
    if (text === this.known) return;
    this.known = text;
    const place = this.sent.indexOf(text);
    this.sent.splice(0, place < 0 ? this.sent.length : place + 1);
    if (place >= 0) return; // it answers what was sent, and later texts are on their way
    this.drag = null;
    this.points = decodePoints(text);
    this.stage.whatIf.points = this.listSteps(); // also for the sliders
    this.undone = [];
    this.chosen = -1;
    this.show();
  }

  point(view, event) {
    if (!this.isActive) return false;
    const action = { pointerdown: "press", pointermove: "move", pointerup: "release", pointerleave: "cancel" }[event.type];
    if (action) this[action](event, view);
    return true;
  }

  // Added points as outlined stars, and the cross.
  draw(pen, view) {
    if (!this.knowsPlace(view)) return;
    pen.save();
    pen.lineJoin = "round";
    const { ink, paper, palette } = this.stage.theme;
    this.points.forEach((point, i) => {
      const isChosen = this.isActive && i === this.chosen;
      const isPart = this.isPart(point, view);
      if (!isPart && !this.stage.views.includes(view)) return; // a picture to take away
      pen.globalAlpha = isPart ? 1 : ASKED;
      drawStar(pen, this.toPixels(point, view), isChosen ? SIZE + 3 : SIZE, palette);
    });
    pen.globalAlpha = 1;
    if (this.isActive && this.cross && view.ui === this.view.ui) drawCross(pen, this.cross, ink, paper);
    pen.restore();
  }

  close() {
    this.isActive = false;
  }

  // ---- state ----

  toggle() {
    if (this.isActive) this.leave();
    else this.begin();
  }

  begin() {
    if (this.isActive || this.button.hidden || !this.view.size) return;
    this.isActive = true;
    this.mark();
    const [width, height] = this.view.size;
    this.cross = [Math.round(width / 2), Math.round(height / 2)];
    this.help.textContent = EDIT.help;
    if (!this.knowsPlace(this.view)) this.preview(); // a preview's scene says where the set's units are
    this.view.ui.stage.focus({ preventScroll: true });
    this.announce(EDIT.begun);
    this.show();
  }

  leave() {
    if (!this.isActive) return;
    this.cancel();
    this.isActive = false;
    this.mark();
    this.announce(EDIT.left);
    this.show();
  }

  mark() {
    this.button.setAttribute("aria-pressed", String(this.isActive));
    this.bar.hidden = !this.isActive;
    this.stage.ui.head.classList.remove("open"); // on a phone the buttons lie over the film
    this.stage.ui.more.setAttribute("aria-expanded", "false");
    this.stage.root.dataset.editing = String(this.isActive);
  }

  show() {
    this.stage.root.dataset.added = this.points.length;
    this.count.textContent = fill(EDIT.count, { count: this.points.length, most: this.most });
    this.bar.querySelector(".undo").disabled = !this.undone.length;
    this.bar.querySelector(".clear").disabled = !this.points.length;
    this.stage.invalidate();
  }

  // The points as a preview's request has them.
  listSteps() {
    return this.points.map(([op, x, y]) => [op, Math.round(STEPS * x), Math.round(STEPS * y)]);
  }

  // Retrains with the points.
  preview() {
    const { preview, whatIf, side } = this.stage;
    if (!side.whatif || side.whatif.off) return;
    if (!preview.isOn && !preview.next) whatIf.spec = side.whatif.spec; // else the sliders' newest
    whatIf.changePoints(this.listSteps());
    preview.setWord(TEXT.preview);
  }

  // ---- geometry ----

  // Whether the film in a view says where the units of its set are.
  knowsPlace(view) {
    const scene = view.film.scene;
    return Boolean(view.view && scene?.data_centre && scene.data_half);
  }

  // Of a point in the set's units, the place in units of the view box.
  toUnits([, x, y], { data_centre: centre, data_half: half }) {
    return [((x - centre[0]) / half[0]) * UNIT, ((y - centre[1]) / half[1]) * UNIT];
  }

  toPixels(point, view) {
    return view.toPixels(this.toUnits(point, view.film.scene), 0);
  }

  // The place in the set's units, to a thousandth.
  toData([left, top], { view, film }) {
    const { data_centre: centre, data_half: half } = film.scene;
    const place = [centre[0] + ((left - view.x) / view.kx / UNIT) * half[0], centre[1] + ((view.y - top) / view.ky / UNIT) * half[1]];
    return place.map((value) => Math.max(-FAR, Math.min(FAR, Math.round(STEPS * value))) / STEPS);
  }

  // Whether the film in a view was trained on a point, or is about to be; else it is one that the form asks for.
  isPart(point, view) {
    if (this.isActive || this.stage.preview.isOn) return true;
    const [x, y] = this.toUnits(point, view.film.scene);
    const { points, labels, majority } = view.film.scene;
    return labels.some((label, i) => label !== majority && Math.abs(points[2 * i] - x) < NEAR && Math.abs(points[2 * i + 1] - y) < NEAR);
  }

  // The number of the added point nearest to a place within reach, -1 without one.
  find([x, y]) {
    let [found, nearest] = [-1, REACH];
    if (!this.knowsPlace(this.view)) return found;
    this.points.forEach((point, i) => {
      const [left, top] = this.toPixels(point, this.view);
      const distance = Math.hypot(left - x, top - y);
      if (distance <= nearest) [found, nearest] = [i, distance];
    });
    return found;
  }

  // ---- changes ----

  // isOver: the hand is off, so the page is told.
  change(points, isOver) {
    this.points = points;
    this.chosen = this.cross ? this.find(this.cross) : -1;
    this.help.textContent = EDIT.help;
    this.show();
    this.preview();
    if (isOver) this.commit();
  }

  commit() {
    const text = encodePoints(this.points);
    if (text === (this.sent.at(-1) ?? this.known)) return;
    this.sent.push(text);
    this.stage.send("edit", text);
  }

  remember(points) {
    this.undone.push(points);
    if (this.undone.length > MOST_UNDONE) this.undone.shift();
  }

  add(place) {
    if (this.points.length >= this.most) return this.refuse(fill(EDIT.tooMany, { most: this.most }));
    if (!this.knowsPlace(this.view)) return this.refuse(EDIT.waiting);
    this.remember(this.points);
    this.change([...this.points, [ADD, ...this.toData(place, this.view)]], true);
    this.tell(this.points.length - 1);
  }

  announce(text) {
    this.live.textContent = text;
  }

  refuse(text) {
    this.announce(text);
    this.help.textContent = text;
  }

  remove(number) {
    this.remember(this.points);
    this.change(this.points.filter((_, i) => i !== number), true);
    this.announce(fill(EDIT.removed, { count: this.points.length }));
  }

  undo() {
    if (!this.undone.length) return;
    this.change(this.undone.pop(), true);
    this.announce(fill(EDIT.undone, { count: this.points.length, most: this.most }));
  }

  clear() {
    if (!this.points.length) return;
    this.remember(this.points);
    this.change([], true);
    this.announce(EDIT.cleared);
  }

  tell(number) {
    const [, x, y] = this.points[number];
    const write = (value) => value.toFixed(2).replace("-", "\u2212");
    this.announce(fill(EDIT.place, { number: number + 1, most: this.most, x: write(x), y: write(y) }));
  }

  // ---- pointer ----

  press(event, view) {
    if (event.button) return;
    event.preventDefault();
    this.view = view;
    view.ui.stage.focus({ preventScroll: true });
    const place = locate(view.ui.canvas, event);
    this.cross = place;
    this.chosen = this.find(place);
    this.drag = { number: this.chosen, from: place, hasMoved: false, before: this.points };
    view.ui.canvas.setPointerCapture(event.pointerId);
    this.stage.invalidate();
  }

  move(event, view) {
    const { drag } = this;
    const place = locate(view.ui.canvas, event);
    if (!drag || (!drag.hasMoved && Math.hypot(place[0] - drag.from[0], place[1] - drag.from[1]) < DRAG)) return;
    drag.hasMoved = true;
    if (drag.number < 0) return;
    this.cross = this.hold(place);
    this.change(this.points.map((point, i) => (i === drag.number ? [ADD, ...this.toData(this.cross, this.view)] : point)), false);
    this.chosen = drag.number;
  }

  release() {
    const { drag } = this;
    if (!drag) return;
    this.drag = null;
    if (drag.number < 0) {
      if (!drag.hasMoved) this.add(drag.from);
    } else if (drag.hasMoved) {
      this.remember(drag.before);
      this.commit();
      this.show();
      this.tell(drag.number);
    } else this.remove(drag.number);
  }

  // The pointer was taken away: a point that was being moved goes back.
  cancel() {
    const { drag } = this;
    this.drag = null;
    if (drag?.hasMoved && drag.number >= 0) this.change(drag.before, false);
  }

  // A place within the film.
  hold([x, y]) {
    const [width, height] = this.view.size;
    return [Math.max(0, Math.min(width, x)), Math.max(0, Math.min(height, y))];
  }

  // ---- keys ----

  // Whether the key was one of editing.
  key(event) {
    if (this.button.hidden || event.target.closest("input, select, textarea")) return false;
    const hasModifier = event.ctrlKey || event.metaKey || event.altKey;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if (key === "z" && this.isActive && (event.ctrlKey || event.metaKey)) this.undo();
    else if (hasModifier) return false;
    else if (key === "e") this.toggle();
    else if (!this.isActive) return false;
    else if (key === "Escape") this.leave();
    else return event.target.matches(".stage") && this.moveOrChange(key, event.shiftKey ? SLOW : FAST);
    return true;
  }

  moveOrChange(key, by) {
    const action = {
      ArrowLeft: () => this.moveCross(-by, 0),
      ArrowRight: () => this.moveCross(by, 0),
      ArrowUp: () => this.moveCross(0, -by),
      ArrowDown: () => this.moveCross(0, by),
      Enter: () => this.add(this.cross),
      Delete: () => this.chosen >= 0 && this.remove(this.chosen),
      Backspace: () => this.chosen >= 0 && this.remove(this.chosen),
      "[": () => this.choose(-1),
      "]": () => this.choose(1),
    }[key];
    action?.();
    return Boolean(action);
  }

  moveCross(dx, dy) {
    const before = this.chosen;
    this.cross = this.hold([this.cross[0] + dx, this.cross[1] + dy]);
    this.chosen = this.find(this.cross);
    if (this.chosen >= 0 && this.chosen !== before) this.tell(this.chosen);
    this.stage.invalidate();
  }

  choose(by) {
    const n = this.points.length;
    if (!n || !this.knowsPlace(this.view)) return;
    this.chosen = this.chosen < 0 ? (by > 0 ? 0 : n - 1) : (this.chosen + by + n) % n;
    this.cross = this.toPixels(this.points[this.chosen], this.view);
    this.tell(this.chosen);
    this.stage.invalidate();
  }
}

// ---- drawing ----

function drawStar(pen, [x, y], size, { minority, edge }) {
  pen.beginPath();
  for (let i = 0; i < 10; i++) {
    const radius = i % 2 ? 0.45 * size : size;
    const turn = (i * Math.PI) / 5 - Math.PI / 2;
    pen[i ? "lineTo" : "moveTo"](x + radius * Math.cos(turn), y + radius * Math.sin(turn));
  }
  pen.closePath();
  strokePath(pen, edge, 5);
  pen.fillStyle = edge;
  pen.fill();
  strokePath(pen, minority[0], 2.2);
}

function drawCross(pen, [x, y], ink, paper) {
  pen.beginPath();
  for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
    pen.moveTo(x + 5 * dx, y + 5 * dy);
    pen.lineTo(x + 16 * dx, y + 16 * dy);
  }
  strokePath(pen, paper, 4);
  strokePath(pen, ink, 1.6);
}

function fill(text, values) {
  return text.replace(/\{(\w+)\}/g, (_, name) => values[name]);
}
