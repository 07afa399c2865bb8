// The legend: what the marks mean, switches for what is shown, and the buttons that magnify movement.

import { listMakingMarks } from "./making.js";
import { EFFECTS, effectColour } from "./marks.js";
import { CORNERS } from "./pen.js";
import { TEXT } from "./text.js";
import { FACTORS } from "./view.js";

const SWITCH_TITLES = {
  surface: "show or hide the surface: the model's probability of the minority",
  trails: "show or hide the way points came",
  making: "show or hide how new rows were made, and the rows that were moved",
  threads: "show or hide the threads from points to the rows they were copied from",
  contributions: "show or hide, by colour, filling and size, what each synthetic point does to the validation loss at the chosen epoch, to first order: not what training without it would give",
  arrows: "show or hide, on the last frame, where the meta-gradient of all validation rows would push each point at the chosen epoch; the longest arrow has a fixed length",
};
const MARKER_TITLE = "to first order, by its presence in a step at the chosen epoch; the larger the mark, the more";

export class Legend {
  // invalidate(): the picture has changed.
  constructor(root, ui, film, clock, view, invalidate) {
    this.root = root;
    this.ui = ui;
    this.film = film;
    this.clock = clock;
    this.view = view;
    this.invalidate = invalidate;
    this.hasPoints = null; // whether the legend that is drawn has synthetic points; null before the first
    this.addFactorButtons();
  }

  addFactorButtons() {
    for (const factor of FACTORS) {
      const button = document.createElement("button");
      button.type = "button";
      button.dataset.factor = factor;
      button.textContent = `\u00d7${factor}`;
      button.setAttribute("aria-label", `Magnify movement ${factor} times`);
      button.addEventListener("click", () => this.clock.setFactor(factor));
      this.ui.factors.append(button);
    }
  }

  draw() {
    const { film, ui } = this;
    if (!film.scene) return;
    this.hasPoints = film.hasPoints;
    const focused = this.root.getRootNode().activeElement;
    const name = ui.legend.contains(focused) ? focused.dataset.toggle : "";
    ui.legend.replaceChildren(...this.makeClasses(), ...this.makeMarkers(), ...this.makeBoundaries(), ...this.makeSwitches());
    if (name) ui.legend.querySelector(`[data-toggle="${name}"]`)?.focus();
  }

  makeClasses() {
    const { classes, labels, majority } = this.film.scene;
    const { majority: colour, edge } = this.view.theme.palette;
    const present = new Set(labels);
    const minority = classes.flatMap((name, label) => {
      if (label === majority || !present.has(label)) return [];
      const marker = this.view.markerOf(label);
      return [makeKey(name, drawMarker(marker.shape, marker.colour, edge, 6))];
    });
    return [this.makeSwitch("majority", classes[majority] ?? "majority", drawMarker("circle", colour, edge, 4)), ...minority];
  }

  makeMarkers() {
    const { palette } = this.view.theme;
    if (!this.hasPoints) return [];
    const unsafe = this.film.knowsUnsafe ? [makeKey(TEXT.unsafeShort, drawUnsafeMark(palette, this.view.theme.ink))] : [];
    for (const key of unsafe) key.title = TEXT.unsafeMore;
    if (!this.film.contributions || !this.view.shown.contributions) {
      return [makeKey("synthetic", drawEffect("unknown", palette)), ...unsafe];
    }
    const effects = ["lowers", "raises"].map((effect) => {
      const key = makeKey(`synthetic: ${effect} loss`, drawEffect(effect, palette));
      key.title = `a synthetic point that ${effect} the validation loss, ${MARKER_TITLE}`;
      return key;
    });
    return [...effects, ...unsafe];
  }

  makeBoundaries() {
    const { ink } = this.view.theme;
    const start = makeKey("starting boundary", drawStroke(ink, 1.8, "2 4"));
    start.title = `where the boundary was ${this.hasPoints ? "when the synthetic points began" : "in the first frame"}`;
    return [makeKey("boundary", drawStroke(ink, 2.2, "")), start];
  }

  makeSwitches() {
    const { contributions } = this.film;
    const { palette, ramp, ink, fadeInk } = this.view.theme;
    const switches = [this.makeSwitch("surface", "surface", drawRamp(ramp))];
    if (!this.hasPoints) return switches;
    switches.push(this.makeSwitch("trails", "trails", drawStroke(palette.trail, 3, "")));
    switches.push(this.makeSwitch("threads", "threads", drawStroke(fadeInk(0.7), 1, "")));
    if (this.film.scene.making) switches.push(this.makeSwitch("making", TEXT.making.toLowerCase(), listMakingMarks(this.film.scene.making, this.view.theme)[0][0]));
    if (contributions) switches.push(this.makeSwitch("contributions", "contributions", drawMarkerPair(palette)));
    if (contributions?.downhill) switches.push(this.makeSwitch("arrows", "meta-gradient", drawArrow(ink)));
    return switches;
  }

  makeSwitch(name, text, picture) {
    const button = makeKey(text, picture, "button");
    button.type = "button";
    button.className = "chip";
    button.dataset.toggle = name;
    button.setAttribute("aria-pressed", String(this.view.shown[name]));
    button.title = SWITCH_TITLES[name] ?? `show or hide ${text}`;
    button.addEventListener("click", () => this.toggle(name, button));
    return button;
  }

  toggle(name, button) {
    const { shown } = this.view;
    shown[name] = !shown[name];
    button.setAttribute("aria-pressed", String(shown[name]));
    if (name === "contributions") this.draw();
    if (name === "arrows" && shown.arrows) this.clock.seek(this.film.last);
    this.invalidate();
  }
}

function makeKey(text, picture, tag = "span") {
  const key = document.createElement(tag);
  key.className = "key";
  key.title = text;
  key.append(picture, Object.assign(document.createElement("span"), { textContent: text }));
  return key;
}

// ---- pictures ----

export function drawMarker(shape, fill, edge, size, width = 1.2) {
  const style = { fill, stroke: edge, "stroke-width": width };
  if (shape === "circle") return makePicture(makeSvg("circle", { r: size, ...style }));
  return makePicture(makePolygon(shape, 0, size, style));
}

// The mark of a synthetic point that does this to the loss.
export function drawEffect(effect, palette) {
  return makePicture(makeEffect(effect, palette, 0, 5.5));
}

// A synthetic point with the cross of an unsafe one.
export function drawUnsafeMark(palette, ink) {
  const cross = { d: "M-5 -5L5 5M-5 5L5 -5", fill: "none", stroke: ink, "stroke-width": 1.5, "stroke-linecap": "round" };
  return makePicture(makeEffect("unknown", palette, 0, 5.5), makeSvg("path", cross));
}

// A filled mark beside an open one.
function drawMarkerPair(palette) {
  return makePicture(makeEffect("lowers", palette, -5, 4.5), makeEffect("raises", palette, 6, 4));
}

function makeEffect(effect, palette, x, size) {
  const { shape, isFilled } = EFFECTS[effect];
  const colour = effectColour(effect, palette);
  return makePolygon(shape, x, size, { fill: isFilled ? colour : palette.fill, stroke: colour, "stroke-width": 1.8 });
}

function drawArrow(colour) {
  return drawPath("M-8 4L7 -4M7 -4L1 -4.4M7 -4L3.6 1.2", { stroke: colour, "stroke-width": 1.8 });
}

export function drawStroke(colour, width, dash) {
  return drawPath("M-9 4C-3 4 3 -4 9 -4", { stroke: colour, "stroke-width": width, "stroke-dasharray": dash });
}

function drawPath(path, style) {
  return makePicture(makeSvg("path", { d: path, fill: "none", ...style, "stroke-linecap": "round" }));
}

function drawRamp(ramp) {
  const colourOf = (value) => `rgb(${ramp.slice(3 * value, 3 * value + 3).join(",")})`;
  const makeBar = (value, i) => makeSvg("rect", { x: -10 + 4 * i, y: -6, width: 4.2, height: 12, fill: colourOf(value) });
  return makePicture(...[0, 70, 127, 185, 255].map(makeBar));
}

function makePolygon(shape, x, size, style) {
  return makeSvg("polygon", { points: CORNERS[shape].map(([dx, dy]) => `${x + dx * size},${dy * size}`).join(" "), ...style });
}

function makePicture(...children) {
  const out = makeSvg("svg", { viewBox: "-10 -8 20 16", "aria-hidden": "true" });
  out.append(...children);
  return out;
}

function makeSvg(name, attributes) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}
