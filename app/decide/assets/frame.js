// The frame of one picture: axes, lines with bands, and the cut, all in pixels of the place it has.

import { makeElement, makeSvg } from "./svg.js";

const HEIGHT = 260;
const LEFT = 38;
const TOP = 10;
const RIGHT = 22;
const PLOT = 206; // pixels of the plot's height
const HALO = { class: "halo strong" };

export class Frame {
  constructor(name, title, change) {
    this.name = name;
    this.element = makeElement("section", "picture");
    this.element.dataset.picture = name;
    const head = makeElement("div", "head");
    this.title = makeElement("h2", "", title);
    this.note = makeElement("span", "note");
    head.append(this.title, this.note);
    this.head = head;
    this.svg = makeSvg("svg", { tabindex: 0, role: "slider" });
    this.behind = makeSvg("g");
    this.front = makeSvg("g");
    this.svg.append(this.behind, this.front);
    this.element.append(head, this.svg);
    this.change = change; // (what, detail): "move" to a place under the pointer, "step" by a row, "end" of either
    this.axes = { x: [0, 1], y: [0, 1] };
    this.width = 300;
    this.listen();
  }

  listen() {
    let held = false;
    const at = (event) => {
      const box = this.svg.getBoundingClientRect();
      const zoom = box.width / this.width || 1;
      return [(event.clientX - box.left) / zoom, (event.clientY - box.top) / zoom];
    };
    this.svg.addEventListener("pointerdown", (event) => {
      if (event.button > 0) return;
      held = true;
      this.svg.setPointerCapture(event.pointerId);
      this.svg.focus({ preventScroll: true });
      event.preventDefault();
      this.change("move", at(event));
    });
    this.svg.addEventListener("pointermove", (event) => held && this.change("move", at(event)));
    for (const name of ["pointerup", "pointercancel"]) {
      this.svg.addEventListener(name, () => {
        if (held) this.change("end");
        held = false;
      });
    }
    this.svg.addEventListener("keydown", (event) => {
      const steps = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1, PageUp: 10, PageDown: -10 };
      if (event.altKey || event.ctrlKey || event.metaKey) return;
      if (event.key in steps) this.change("step", steps[event.key]);
      else if (event.key === "Home" || event.key === "End") this.change("edge", event.key === "End" ? 1 : -1);
      else return;
      event.preventDefault();
    });
  }

  resize(width) {
    this.width = Math.max(160, width);
    this.svg.setAttribute("viewBox", `0 0 ${this.width} ${HEIGHT}`);
  }

  // Begin anew with these axes: {x: [low, high], y: [low, high], xTicks: [[value, text]], yTicks, xName}.
  begin(axes) {
    this.axes = axes;
    this.behind.replaceChildren();
    this.front.replaceChildren();
    for (const [value, text] of axes.yTicks) {
      const y = this.y(value);
      this.behind.append(makeSvg("line", { class: "grid", x1: this.x(axes.x[0]), x2: this.x(axes.x[1]), y1: y, y2: y }));
      this.write(LEFT - 7, y + 4, text, { class: "t", "text-anchor": "end" });
    }
    for (const [value, text] of axes.xTicks) this.write(this.x(value), TOP + PLOT + 17, text, { class: "t", "text-anchor": "middle" });
    this.write(LEFT + (this.width - LEFT - RIGHT) / 2, TOP + PLOT + 35, axes.xName, { class: "t", "text-anchor": "middle" });
  }

  x(value) {
    const [low, high] = this.axes.x;
    return LEFT + ((value - low) / (high - low || 1)) * (this.width - LEFT - RIGHT);
  }

  // The value of the x axis at a pixel.
  value(x) {
    const [low, high] = this.axes.x;
    return low + ((x - LEFT) / (this.width - LEFT - RIGHT || 1)) * (high - low);
  }

  y(value) {
    const [low, high] = this.axes.y;
    return TOP + (1 - (value - low) / (high - low || 1)) * PLOT;
  }

  write(x, y, text, attributes, layer = this.behind) {
    const element = makeSvg("text", { x: x.toFixed(1), y: y.toFixed(1), ...attributes }, text);
    layer.append(element);
    return element;
  }

  clip(value, axis) {
    const [low, high] = this.axes[axis];
    return Math.min(high, Math.max(low, value));
  }

  // A line through the points whose x is on the axis; values beyond the y axis stand at its end.
  line(xs, ys, name) {
    const points = this.points(xs, ys);
    if (points.length) this.behind.append(makeSvg("polyline", { class: `line ${name}`, points: points.map((point) => point.join()).join(" ") }));
  }

  band(xs, low, high) {
    const over = this.points(xs, high);
    const under = this.points(xs, low).reverse();
    if (over.length > 1) this.behind.append(makeSvg("polygon", { class: "band", points: [...over, ...under].map((point) => point.join()).join(" ") }));
  }

  points(xs, ys) {
    const out = [];
    const [left, right] = this.axes.x;
    let last = null;
    for (let i = 0; i < xs.length; i++) {
      if (!Number.isFinite(xs[i]) || !Number.isFinite(ys[i])) continue;
      let [x, y] = [xs[i], ys[i]];
      if (x < left || x > right) {
        const before = last && last.x >= left && last.x <= right;
        const next = xs[i + 1] >= left && xs[i + 1] <= right && Number.isFinite(ys[i + 1]) ? { x: xs[i + 1], y: ys[i + 1] } : null;
        const inside = before ? last : next;
        last = { x, y };
        if (!inside) continue;
        const edge = x < left ? left : right; // where the line crosses the end of the axis
        y = inside.y + ((edge - inside.x) / (x - inside.x || 1)) * (y - inside.y);
        x = edge;
      } else last = { x, y };
      out.push([this.x(x).toFixed(1), this.y(this.clip(y, "y")).toFixed(1)]);
    }
    return out;
  }

  // The cut: a line across, a dot where a value is known, and its text beside it.
  mark({ x, y, text, level = false }) {
    this.front.replaceChildren();
    const px = this.x(this.clip(x, "x"));
    const py = y === null || !Number.isFinite(y) ? null : this.y(this.clip(y, "y"));
    if (!level) this.front.append(makeSvg("line", { class: "cut", x1: px, x2: px, y1: TOP, y2: TOP + PLOT }));
    else this.front.append(makeSvg("line", { class: "cut", x1: LEFT, x2: this.width - RIGHT, y1: py, y2: py }));
    if (py === null) return;
    this.front.append(makeSvg("circle", { class: "dot", cx: px, cy: py, r: 5.5 }));
    if (!text) return;
    const right = px < this.width * 0.58;
    const place = { ...HALO, "text-anchor": right ? "start" : "end" };
    this.write(px + (right ? 9 : -9), py < TOP + 16 ? py + 18 : py - 9, text, place, this.front);
  }

  // What the picture shows, in words; value: of its slider.
  say(alt, value, now, most) {
    this.svg.setAttribute("aria-label", alt);
    this.svg.setAttribute("aria-valuetext", value);
    this.svg.setAttribute("aria-valuemin", 0);
    this.svg.setAttribute("aria-valuemax", most);
    this.svg.setAttribute("aria-valuenow", now);
  }
}
