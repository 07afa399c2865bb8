// The map of a run's features: points on a canvas, a lasso, and beside it what lies under the pointer. This file mounts it and joins
// its parts: data.js (arrays and the index), draw.js (pixels), panel.js (images and rows).

import { findBox, Grid, readMessage, SYNTHETIC, TEST, TRAIN } from "./data.js";
import { Painter, placeNames, readColour } from "./draw.js";
import { fill, Panel } from "./panel.js";

const FLIGHT_MS = 400;
const REACH_PX = 16; // how near to a point the pointer must be
const LEAST_STEP_PX = 3; // between two places of the lasso
const AIR = 0.86; // share of the canvas that a map takes
const ZOOM = 1.35;
const MAX_KEPT = 3;
const KEYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };

const views = new WeakMap(); // parent element -> MapView
const keptScenes = new Map(); // run -> arrays that a map that left the page held: it may come back

// What Streamlit calls at each mount and for each message.
export default function ({ data, parentElement, setTriggerValue }) {
  let view = views.get(parentElement);
  if (!view) {
    view = new MapView(parentElement);
    views.set(parentElement, view);
  }
  view.trigger = setTriggerValue;
  view.receive(data);
  return () => setTimeout(() => {
    if (parentElement.isConnected || views.get(parentElement) !== view) return;
    views.delete(parentElement);
    view.close();
  });
}

const TEMPLATE = `
<div class="card">
  <div class="tools">
    <div class="set techniques" role="group"></div><div class="set kinds" role="group"></div>
    <div class="set modes end" role="group"><button type="button" data-mode="lasso"></button><button type="button" data-mode="pan"></button></div>
  </div>
  <div class="place" data-mode="lasso"><canvas tabindex="0" role="img"></canvas><div class="empty"></div></div>
  <div class="foot"><span class="said"></span>
    <button type="button" class="links" aria-pressed="false"></button><button type="button" class="errors" aria-pressed="false"></button>
    <button type="button" class="zoom in">+</button><button type="button" class="zoom out">−</button>
  </div>
</div>
<div class="panel" tabindex="0" role="region"></div>
<div class="sr live" aria-live="polite"></div>`;

class MapView {
  constructor(parent) {
    this.root = document.createElement("div");
    this.root.className = "lab-map";
    this.root.style.visibility = "hidden"; // until the style sheet, which is a file of its own, is there
    this.root.innerHTML = TEMPLATE;
    parent.append(this.root);
    const find = (selector) => this.root.querySelector(selector);
    this.ui = Object.fromEntries(["techniques", "kinds", "modes", "place", "empty", "said", "links", "errors", "in", "out", "live"].map((name) => [name, find(`.${name}`)]));
    this.canvas = find("canvas");
    this.painter = new Painter(this.canvas);
    this.panel = new Panel(find(".panel"), () => this.clear());
    this.queue = Promise.resolve();
    this.told = new Set(); // ways that the page was told of and has not answered
    this.first = ""; // the way that the page named last
    this.head = null;
    this.redraws = 0;
    this.mode = matchMedia("(pointer: coarse)").matches ? "pan" : "lasso";
    this.listeners = new AbortController();
    this.reset();
    this.listen();
    this.sizes = new ResizeObserver(() => this.resize());
    this.sizes.observe(this.ui.place);
  }

  // Another run begins.
  reset() {
    this.scene = null;
    this.maps = new Map(); // technique -> places
    this.grids = new Map();
    this.technique = "";
    this.wanted = ""; // the technique that is asked for and not there yet
    this.kinds = [true, false, true]; // training rows, test rows, synthetic points
    this.selection = null; // points in the lasso
    this.selected = null;
    this.point = -1; // under the pointer, or reached by the arrows
    this.pinned = false;
    this.lasso = null; // its outline while it is drawn, and after
    this.links = this.errors = false;
    this.view = this.flight = this.names = null;
    this.shownFor = "";
  }

  // ---- data ----

  receive(data) {
    if (!data || data.byteLength < 4) return;
    this.queue = this.queue.then(() => readMessage(data)).then((message) => this.take(message)).catch((error) => {
      if (!this.isClosed) console.error("map: a message could not be read", error);
    });
  }

  take({ head, arrays }) {
    if (this.isClosed) return;
    if (head.run !== this.head?.run) this.reset();
    this.head = head;
    this.colours = null;
    if (arrays.y) this.keep(head, arrays);
    else if (!this.scene && keptScenes.has(head.run)) this.scene = keptScenes.get(head.run);
    if (!this.scene) {
      this.trigger("need", head.run);
      return;
    }
    this.readTheme();
    for (const { name } of head.maps) if (arrays[`xy.${name}`]) this.takePlaces(name, Float32Array.from(arrays[`xy.${name}`]));
    const told = this.told.delete(head.first); // an answer to what a person did here
    if (this.technique && head.first !== this.first && !told && this.maps.has(head.first)) this.show(head.first);
    this.first = head.first;
    const first = head.maps.find(({ name }) => this.maps.has(name))?.name ?? "";
    if (!this.technique && first) this.show(this.maps.has(head.first) ? head.first : first);
    else if (this.wanted && this.maps.has(this.wanted)) {
      this.tell(this.wanted);
      this.show(this.wanted);
    }
    this.refresh();
    this.invalidate();
  }

  // New places of a way; the points fly there where it is the one that is seen.
  takePlaces(name, xy) {
    const before = this.maps.get(name);
    if (before?.every((value, k) => value === xy[k])) return;
    const from = before && name === this.technique ? { places: this.places(), view: this.view } : null;
    this.maps.set(name, xy);
    for (const key of [...this.grids.keys()]) if (key.startsWith(`${name}|`)) this.grids.delete(key);
    if (from) this.fly(from.places, from.view);
  }

  keep(head, arrays) {
    this.scene = arrays;
    keptScenes.delete(head.run);
    keptScenes.set(head.run, arrays);
    if (keptScenes.size > MAX_KEPT) keptScenes.delete(keptScenes.keys().next().value);
    if (!arrays.part.includes(TRAIN)) this.kinds[TEST] = true;
  }

  // The colours of the page's theme; whether they are others than before.
  readTheme() {
    const style = getComputedStyle(this.root);
    const paper = this.readHex(style.getPropertyValue("--paper"), "#ffffff");
    if (paper === this.paper && this.colours) return false;
    this.paper = paper;
    this.ink = this.readHex(style.getPropertyValue("--ink"), "#26282c");
    this.dark = readColour(paper).reduce((sum, value) => sum + value, 0) < 384;
    this.colours = this.head.colours.map((pair) => pair[this.dark ? 1 : 0]);
    this.rgb = this.colours.map(readColour);
    return true;
  }

  readHex(text, otherwise) {
    const { context } = this.painter;
    context.fillStyle = otherwise;
    context.fillStyle = text.trim();
    return context.fillStyle;
  }

  // ---- which map ----

  ask(name) {
    const entry = this.head.maps.find((one) => one.name === name);
    if (this.maps.has(name)) {
      this.wanted = "";
      if (name !== this.technique) this.tell(name);
      this.show(name);
    } else {
      this.wanted = name;
      if (entry.state !== "waiting") this.trigger("ask", name);
    }
    this.refresh();
    this.invalidate();
  }

  // The page keeps the way in its address.
  tell(name) {
    this.told.add(name);
    this.trigger("show", name);
  }

  // Fly to another map, or begin with one.
  show(name) {
    const before = this.technique ? this.places() : null;
    const viewBefore = this.view;
    this.technique = name;
    this.wanted = "";
    this.fly(before, viewBefore);
  }

  // from, viewFrom: where the points were, null where they were nowhere.
  fly(from, viewFrom) {
    this.names = null;
    this.lasso = null;
    this.isZoomed = false;
    this.view = this.fit();
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    this.flight = from && viewFrom && !still ? { from, viewFrom, began: performance.now() } : null;
  }

  get xy() {
    return this.maps.get(this.technique);
  }

  fit() {
    if (!this.xy || !this.width) return null;
    const box = findBox(this.xy);
    const [wide, high] = [box.right - box.left || 1, box.high - box.low || 1];
    const scale = AIR * Math.min(this.width / wide, this.height / high);
    return { x: (box.left + box.right) / 2, y: (box.low + box.high) / 2, scale };
  }

  // Places of the points now, on their way between two maps too.
  places(now = performance.now()) {
    const goal = this.xy;
    if (!this.flight) return goal;
    const share = Math.min(1, (now - this.flight.began) / FLIGHT_MS);
    if (share >= 1) {
      this.flight = null;
      return goal;
    }
    const eased = share * share * (3 - 2 * share);
    const { from, viewFrom } = this.flight;
    const out = new Float32Array(goal.length);
    // in px, so that a map of another size does not jump
    for (let k = 0; k < goal.length; k += 2) {
      const ax = (from[k] - viewFrom.x) * viewFrom.scale;
      const ay = (from[k + 1] - viewFrom.y) * viewFrom.scale;
      const bx = (goal[k] - this.view.x) * this.view.scale;
      const by = (goal[k + 1] - this.view.y) * this.view.scale;
      out[k] = this.view.x + (ax + (bx - ax) * eased) / this.view.scale;
      out[k + 1] = this.view.y + (ay + (by - ay) * eased) / this.view.scale;
    }
    return out;
  }

  isShown(i) {
    return this.kinds[this.scene.part[i]];
  }

  listShown() {
    const key = String(this.kinds);
    if (this.shownFor === key) return this.shown;
    this.shown = [];
    for (let i = 0; i < this.scene.part.length; i++) if (this.isShown(i)) this.shown.push(i);
    this.shownFor = key;
    return this.shown;
  }

  grid() {
    const key = `${this.technique}|${this.kinds}`;
    if (!this.grids.has(key)) this.grids.set(key, new Grid(this.xy, (i) => this.isShown(i)));
    return this.grids.get(key);
  }

  // ---- drawing ----

  invalidate() {
    if (this.isClosed || this.due) return;
    this.due = requestAnimationFrame(() => {
      this.due = 0;
      this.draw();
      if (this.flight) this.invalidate();
    });
  }

  resize() {
    const { clientWidth, clientHeight } = this.ui.place;
    if (!clientWidth || !clientHeight || (clientWidth === this.width && clientHeight === this.height)) return;
    const before = this.width;
    [this.width, this.height] = [clientWidth, clientHeight];
    this.painter.resize(clientWidth, clientHeight, this.sharpness());
    if (!before || !this.view || !this.isZoomed) this.view = this.fit();
    this.names = null;
    if (this.scene) this.draw(); // at once: an emptied canvas must not be painted
  }

  // So many points need one pixel per px to move smoothly.
  sharpness() {
    return (this.scene?.part.length ?? 0) > 20000 ? 1 : Math.min(2, devicePixelRatio || 1);
  }

  draw() {
    if (!this.scene || !this.width || !this.xy || !this.root.isConnected) return;
    if (this.sharpness() !== this.painter.dpr) this.painter.resize(this.width, this.height, this.sharpness());
    if (!this.view) this.view = this.fit();
    if (this.readTheme()) this.refresh();
    const xy = this.places();
    const { context } = this.painter;
    const drawn = this.painter.drawPoints(xy, this.view, {
      scene: this.scene, kinds: this.kinds, selected: this.selected, colours: this.rgb, paper: this.paper, ink: this.ink,
      width: this.width, height: this.height, errors: this.errors ? this.listErrors() : null,
    });
    context.save();
    context.scale(this.painter.dpr, this.painter.dpr);
    if (this.links) this.drawLinks(xy);
    if (this.lasso) this.drawLasso();
    if (!this.flight) this.drawNames();
    if (this.point >= 0 && !this.flight) this.drawPoint();
    context.restore();
    this.redraws += 1;
    Object.assign(this.root.dataset, { redraws: this.redraws, drawn, flying: String(Boolean(this.flight)) });
  }

  toPx(xy, i) {
    return [this.width / 2 + (xy[2 * i] - this.view.x) * this.view.scale, this.height / 2 - (xy[2 * i + 1] - this.view.y) * this.view.scale];
  }

  toPlace(x, y) {
    return [this.view.x + (x - this.width / 2) / this.view.scale, this.view.y - (y - this.height / 2) / this.view.scale];
  }

  listErrors() {
    const { part, y, predicted } = this.scene;
    const out = [];
    for (let i = 0; i < part.length; i++) if (part[i] === TEST && this.kinds[TEST] && predicted[i] !== y[i]) out.push(i);
    return out;
  }

  drawLinks(xy) {
    const { context } = this.painter;
    const { enemy, part } = this.scene;
    context.strokeStyle = this.ink;
    context.globalAlpha = 0.22;
    context.beginPath();
    for (let i = 0; i < enemy.length; i++) {
      if (enemy[i] < 0 || part[i] !== SYNTHETIC || !this.kinds[SYNTHETIC]) continue;
      context.moveTo(...this.toPx(xy, i));
      context.lineTo(...this.toPx(xy, enemy[i]));
    }
    context.stroke();
    context.globalAlpha = 1;
  }

  drawLasso() {
    const { context } = this.painter;
    context.beginPath();
    for (let k = 0; k < this.lasso.length; k += 2) context.lineTo(...this.toPx(this.lasso, k / 2));
    context.closePath();
    context.globalAlpha = 0.06;
    context.fillStyle = this.ink;
    context.fill();
    context.globalAlpha = 1;
    context.setLineDash([6, 4]);
    context.lineWidth = 1.6;
    context.strokeStyle = this.ink;
    context.stroke();
    context.setLineDash([]);
  }

  drawNames() {
    const { context } = this.painter;
    context.font = `700 ${this.head.classes.length > 12 ? 13 : 17}px ${getComputedStyle(this.root).fontFamily}`;
    context.textAlign = "center";
    context.textBaseline = "middle";
    if (!this.names) {
      const names = this.head.classes.map((name) => (name.length > 22 ? `${name.slice(0, 21)}…` : name));
      const size = (name) => [context.measureText(name).width, 17];
      const toPx = (i) => this.toPx(this.xy, i);
      const placed = placeNames(names, this.listShown(), this.scene.y, toPx, size, { width: this.width, height: this.height });
      this.names = placed.map((at, c) => at && { name: names[c], at: this.toPlace(at.x, at.y) });
    }
    this.names.forEach((label, c) => {
      if (!label) return;
      const [x, y] = this.toPx(label.at, 0);
      context.lineWidth = 5;
      context.lineJoin = "round";
      context.strokeStyle = this.paper;
      context.strokeText(label.name, x, y);
      context.fillStyle = this.colours[c];
      context.fillText(label.name, x, y);
    });
  }

  drawPoint() {
    const { context } = this.painter;
    const ring = (i, reach, width) => {
      context.beginPath();
      context.arc(...this.toPx(this.xy, i), reach, 0, 7);
      context.lineWidth = width;
      context.strokeStyle = this.ink;
      context.stroke();
    };
    for (const k of this.panel.state && this.scene.near ? this.panel.listNear(this.point) : []) if (this.isShown(k)) ring(k, 5.5, 1);
    const ends = [this.scene.base[this.point], this.scene.partner[this.point]];
    if (ends[0] >= 0 && ends[1] >= 0) {
      context.beginPath();
      context.moveTo(...this.toPx(this.xy, ends[0]));
      context.lineTo(...this.toPx(this.xy, this.point));
      context.lineTo(...this.toPx(this.xy, ends[1]));
      context.lineWidth = 1.2;
      context.strokeStyle = this.ink;
      context.stroke();
    }
    ring(this.point, 8, this.pinned ? 3 : 2);
  }

  // ---- state ----

  // Brings buttons, texts and the panel up to date.
  refresh() {
    const { head, ui } = this;
    const { words } = head;
    this.drawTechniques();
    this.drawKinds();
    for (const button of ui.modes.children) {
      button.textContent = words[button.dataset.mode === "lasso" ? "lassoMode" : "pan"];
      button.setAttribute("aria-pressed", String(button.dataset.mode === this.mode));
    }
    ui.modes.setAttribute("aria-label", words.modes);
    ui.place.dataset.mode = this.mode;
    ui.empty.textContent = this.xy ? "" : head.empty;
    const entry = head.maps.find(({ name }) => name === this.technique);
    ui.said.textContent = entry ? entry.said : "";
    const links = this.scene.enemy.some((at) => at >= 0);
    ui.links.hidden = !links;
    ui.errors.hidden = !this.scene.part.includes(TEST);
    for (const name of ["links", "errors"]) {
      ui[name].textContent = words[name];
      ui[name].setAttribute("aria-pressed", String(this[name]));
    }
    ui.in.setAttribute("aria-label", words.zoomIn);
    ui.out.setAttribute("aria-label", words.zoomOut);
    this.canvas.setAttribute("aria-label", entry ? entry.alt : head.empty);
    this.canvas.setAttribute("aria-description", words.keys);
    this.panel.element.setAttribute("aria-label", words.panel);
    this.panel.draw({
      head, scene: this.scene, colours: this.colours, dark: this.dark, selection: this.selection, point: this.point, pinned: this.pinned,
      visible: this.listShown(),
    });
    Object.assign(this.root.dataset, {
      technique: this.technique, wanted: this.wanted, ready: [...this.maps.keys()].join(" "), selected: this.selection?.length ?? "",
      point: this.point, pinned: String(this.pinned), mode: this.mode, dark: String(this.dark),
    });
  }

  drawTechniques() {
    const { ui, head } = this;
    ui.techniques.setAttribute("aria-label", head.words.techniques);
    head.maps.forEach((entry, at) => {
      const button = ui.techniques.children[at] ?? ui.techniques.appendChild(document.createElement("button"));
      button.type = "button";
      button.dataset.technique = entry.name;
      button.textContent = entry.title;
      const ready = entry.state === "ready";
      if (entry.note) button.append(Object.assign(document.createElement("small"), { textContent: entry.note }));
      button.title = ready ? "" : entry.why;
      button.disabled = entry.state === "off" && !this.maps.has(entry.name);
      button.setAttribute("aria-pressed", String(entry.name === (this.wanted || this.technique)));
    });
    while (ui.techniques.children.length > head.maps.length) ui.techniques.lastChild.remove();
  }

  drawKinds() {
    const { ui, head } = this;
    ui.kinds.setAttribute("aria-label", head.words.kinds);
    const there = [TRAIN, SYNTHETIC, TEST].filter((kind) => this.scene.part.includes(kind));
    there.forEach((kind, at) => {
      const button = ui.kinds.children[at] ?? ui.kinds.appendChild(document.createElement("button"));
      button.type = "button";
      button.dataset.kind = kind;
      button.textContent = head.words[["kindTrain", "kindTest", "kindSynthetic"][kind]];
      button.setAttribute("aria-pressed", String(this.kinds[kind]));
    });
    while (ui.kinds.children.length > there.length) ui.kinds.lastChild.remove();
  }

  update() {
    this.refresh();
    this.invalidate();
  }

  toggleKind(kind) {
    this.kinds[kind] = !this.kinds[kind];
    if (!this.kinds.some((isOn, k) => isOn && this.scene.part.includes(k))) this.kinds[kind] = true; // a map of nothing says nothing
    if (kind === TEST && !this.kinds[TEST]) this.errors = false;
    this.names = null;
    if (this.selection) this.select(this.selection.filter((i) => this.isShown(i)));
    if (this.point >= 0 && !this.isShown(this.point)) this.point = -1;
    this.update();
  }

  select(points) {
    this.selection = points.length ? points : null;
    this.selected = null;
    if (this.selection) {
      this.selected = new Uint8Array(this.scene.part.length);
      for (const i of points) this.selected[i] = 1;
    }
  }

  clear() {
    this.select([]);
    this.lasso = null;
    this.point = -1;
    this.pinned = false;
    this.update();
  }

  pointTo(i) {
    if (i === this.point) return;
    this.point = i;
    this.update();
  }

  zoom(by, x = this.width / 2, y = this.height / 2) {
    if (!this.view) return;
    const [before, beforeY] = this.toPlace(x, y);
    this.view = { ...this.view, scale: Math.max(this.width / 200000, Math.min(1, this.view.scale * by)) };
    const [after, afterY] = this.toPlace(x, y);
    this.view.x += before - after;
    this.view.y += beforeY - afterY;
    this.isZoomed = true;
    this.invalidate();
  }

  close() {
    this.isClosed = true;
    cancelAnimationFrame(this.due);
    this.listeners.abort();
    this.sizes.disconnect();
  }

  // ---- what a person does ----

  listen() {
    const { signal } = this.listeners;
    const on = (element, kind, act) => element.addEventListener(kind, act, { signal });
    on(this.ui.techniques, "click", (event) => this.press(event, "technique", (name) => this.ask(name)));
    on(this.ui.kinds, "click", (event) => this.press(event, "kind", (kind) => this.toggleKind(Number(kind))));
    on(this.ui.modes, "click", (event) => this.press(event, "mode", (mode) => { this.mode = mode; this.update(); }));
    on(this.ui.links, "click", () => { this.links = !this.links; this.update(); });
    on(this.ui.errors, "click", () => { this.errors = !this.errors; if (this.errors && !this.kinds[TEST]) this.toggleKind(TEST); else this.update(); });
    on(this.ui.in, "click", () => this.zoom(ZOOM));
    on(this.ui.out, "click", () => this.zoom(1 / ZOOM));
    on(this.canvas, "pointerdown", (event) => this.begin(event));
    on(this.canvas, "pointermove", (event) => this.move(event));
    on(this.canvas, "pointerup", (event) => this.end(event));
    on(this.canvas, "pointercancel", () => { this.drag = null; });
    on(this.canvas, "pointerleave", () => { if (!this.pinned && !this.drag) this.pointTo(-1); });
    on(this.canvas, "dblclick", () => { this.isZoomed = false; this.view = this.fit(); this.invalidate(); });
    on(this.canvas, "keydown", (event) => this.key(event));
    this.canvas.addEventListener("wheel", (event) => this.wheel(event), { signal, passive: false });
    on(matchMedia("(prefers-color-scheme: dark)"), "change", () => setTimeout(() => this.invalidate(), 200));
  }

  press(event, word, act) {
    const button = event.target.closest(`[data-${word}]`);
    if (button && !button.disabled && this.scene) act(button.dataset[word]);
  }

  at(event) {
    const box = this.canvas.getBoundingClientRect();
    return [((event.clientX - box.left) * this.width) / box.width, ((event.clientY - box.top) * this.height) / box.height];
  }

  begin(event) {
    if (!this.view || event.button) return;
    const [x, y] = this.at(event);
    this.drag = { x, y, far: 0, view: { ...this.view }, outline: [...this.toPlace(x, y)] };
    this.canvas.setPointerCapture(event.pointerId);
  }

  move(event) {
    if (!this.view || this.flight) return;
    const [x, y] = this.at(event);
    const { drag } = this;
    if (!drag) {
      if (!this.pinned) this.pointTo(this.findAt(x, y));
      return;
    }
    drag.far = Math.max(drag.far, Math.hypot(x - drag.x, y - drag.y));
    if (drag.far < 4) return;
    if (this.mode === "pan") {
      this.view = { ...drag.view, x: drag.view.x - (x - drag.x) / drag.view.scale, y: drag.view.y + (y - drag.y) / drag.view.scale };
      this.isZoomed = true;
    } else {
      const [lastX, lastY] = this.toPx(drag.outline, drag.outline.length / 2 - 1);
      if (Math.hypot(x - lastX, y - lastY) < LEAST_STEP_PX) return;
      drag.outline.push(...this.toPlace(x, y));
      this.lasso = drag.outline;
    }
    this.invalidate();
  }

  end(event) {
    const { drag } = this;
    this.drag = null;
    if (!drag) return;
    const [x, y] = this.at(event);
    if (drag.far < 4) this.pin(this.findAt(x, y));
    else if (this.mode === "lasso" && this.lasso) this.hold(this.grid().findInside(this.lasso));
  }

  // What the lasso holds.
  hold(points) {
    this.select(points);
    if (!points.length) this.lasso = null;
    this.point = -1;
    this.pinned = false;
    this.say(fill(this.head.words.lasso, { n: points.length }));
    this.update();
  }

  pin(i) {
    this.pinned = i >= 0 && !(this.pinned && i === this.point);
    this.point = i;
    this.update();
  }

  findAt(x, y) {
    return this.grid().findNearest(...this.toPlace(x, y), REACH_PX / this.view.scale);
  }

  wheel(event) {
    if (this.mode !== "pan" && !event.ctrlKey) return; // the page scrolls
    event.preventDefault();
    this.zoom(Math.exp(-event.deltaY / 400), ...this.at(event));
  }

  key(event) {
    if (!this.view || event.altKey || event.metaKey || event.ctrlKey) return;
    const { key } = event;
    if (key in KEYS) this.walk(...KEYS[key]);
    else if (key === "Enter" && this.point >= 0) this.pin(this.point);
    else if ((key === "l" || key === "L") && this.point >= 0) this.takeClass();
    else if (key === "Escape") this.clear();
    else if (key === "+" || key === "=") this.zoom(ZOOM);
    else if (key === "-") this.zoom(1 / ZOOM);
    else return;
    event.preventDefault();
  }

  walk(dx, dy) {
    const place = this.point >= 0 ? [this.xy[2 * this.point], this.xy[2 * this.point + 1]] : [this.view.x, this.view.y];
    const next = this.point >= 0 ? this.grid().findToward(...place, dx, dy, this.point) : this.grid().findNearest(...place, Infinity);
    if (next < 0) return;
    this.pinned = false;
    this.point = next;
    this.update();
    this.say(this.panel.describe(next));
  }

  takeClass() {
    const own = this.scene.y[this.point];
    this.lasso = null;
    this.hold(this.listShown().filter((i) => this.scene.y[i] === own));
  }

  say(text) {
    this.ui.live.textContent = text;
  }
}
