// Six pictures with one cut, and the form that chooses it. Everything moves in the browser; the page is told when it is let go.

import { Form } from "./form.js";
import { Frame } from "./frame.js";
import { PICTURES } from "./pictures.js";
import { readMessage, Table } from "./readings.js";
import { fill, makeElement } from "./svg.js";

const PAUSE_MS = 450; // after a key, before the page is told
const deciders = new WeakMap(); // parent element -> Decider

export default function ({ data, parentElement, setStateValue, setTriggerValue }) {
  let decider = deciders.get(parentElement);
  if (!decider) {
    decider = new Decider(parentElement);
    deciders.set(parentElement, decider);
  }
  decider.tell = (choice) => setStateValue("choice", choice);
  decider.take = (choice) => setTriggerValue("use", choice);
  decider.receive(data);
  return () => setTimeout(() => {
    if (parentElement.isConnected || deciders.get(parentElement) !== decider) return;
    deciders.delete(parentElement);
    decider.close();
  });
}

class Decider {
  constructor(parent) {
    this.root = makeElement("div", "decide");
    this.root.style.visibility = "hidden"; // until the style sheet, which is a file of its own, is there
    const whole = makeElement("div", "whole");
    this.form = new Form({ change: (words) => this.change(words), end: () => this.send(), use: () => this.take(this.choice) });
    this.shown = makeElement("div", "shown");
    this.pills = makeElement("div", "pills");
    this.pills.setAttribute("role", "group");
    this.grid = makeElement("div", "pictures");
    this.foot = makeElement("p", "foot");
    this.shown.append(this.pills, this.grid, this.foot);
    whole.append(this.form.element, this.shown);
    this.root.append(whole);
    parent.append(this.root);
    this.queue = Promise.resolve();
    this.version = "";
    this.picture = PICTURES[0].name; // the one that a narrow window shows
    this.turned = false; // the first picture shows the ROC curve
    this.timer = 0;
    this.frame = 0; // of a drawing that is due
    this.sizes = new ResizeObserver(() => this.resize());
    this.sizes.observe(this.grid);
  }

  close() {
    this.isClosed = true;
    clearTimeout(this.timer);
    this.sizes.disconnect();
  }

  receive(data) {
    if (!data || data.byteLength < 4) return;
    this.queue = this.queue.then(() => readMessage(data, this.version)).then((message) => message && this.build(message)).catch((error) => {
      if (!this.isClosed) console.error("decide: a message could not be read", error);
    });
  }

  build({ head, arrays }) {
    if (this.isClosed) return;
    const { words } = head;
    this.version = head.version;
    this.head = head;
    this.table = new Table(head, arrays);
    this.choice = { ...head.choice };
    this.form.build(head);
    this.pills.setAttribute("aria-label", words.pictures);
    this.pills.replaceChildren();
    this.frames = PICTURES.map((picture) => {
      const frame = new Frame(picture.name, words.titles[picture.name], (what, detail) => this.act(picture, frame, what, detail));
      frame.svg.classList.toggle("upright", Boolean(picture.upright));
      const pill = makeElement("button", "", words.titles[picture.name]);
      pill.type = "button";
      pill.dataset.pick = picture.name;
      pill.addEventListener("click", () => this.pick(picture.name));
      this.pills.append(pill);
      if (picture.turn) {
        const turn = makeElement("button", "turn", words.roc);
        turn.type = "button";
        turn.setAttribute("aria-pressed", "false");
        turn.addEventListener("click", () => {
          this.turned = !this.turned;
          turn.setAttribute("aria-pressed", String(this.turned));
          this.draw();
        });
        frame.head.append(turn);
      }
      return frame;
    });
    this.grid.replaceChildren(...this.frames.map((frame) => frame.element));
    this.foot.textContent = words.foot;
    this.pick(this.picture);
    this.draw();
  }

  pick(name) {
    this.picture = name;
    for (const frame of this.frames) frame.element.classList.toggle("on", frame.name === name);
    for (const pill of this.pills.children) pill.setAttribute("aria-pressed", String(pill.dataset.pick === name));
    this.resize();
  }

  resize() {
    if (!this.table || !this.grid.clientWidth) return;
    const width = this.frames.find((frame) => frame.element.clientWidth)?.element.clientWidth;
    if (width && this.frames.some((frame) => frame.width !== width)) this.draw();
  }

  // A person moved something of the form.
  change(words) {
    if (this.frame && this.choice.rule === "hand") this.draw();
    const before = this.now;
    this.choice = { ...this.choice, ...words };
    if (this.choice.rule === "hand" && !("cut" in words)) this.keepFlagged(before);
    this.frame ||= requestAnimationFrame(() => this.draw()); // a slider may move more often than the screen
  }

  // By hand the same rows stay flagged when the rule, the share or the probabilities change.
  keepFlagged(before) {
    const flagged = this.table.flaggedAt(before);
    const share = this.table.shareOf(this.choice);
    const { own, pool } = this.table.probabilities(this.choice.unit, this.choice.kind, share);
    const next = { own, pool, unitName: this.choice.unit };
    this.choice.cut = this.table.cutOf(pool, this.table.placeOfFlagged(next, flagged));
  }

  // A person moved the cut in a picture.
  act(picture, frame, what, detail) {
    if (what === "end") {
      this.send();
      return;
    }
    if (this.frame) this.draw();
    const now = this.now;
    const last = now.pool.length;
    const from = now.place ?? 0;
    let place = from;
    if (what === "move") place = picture.find(frame, now, ...detail);
    if (what === "step") place = this.table.step(now, from, picture.forward ? -detail : detail);
    if (what === "edge") place = (picture.forward ? -detail : detail) > 0 ? last : 0;
    if (what === "move" && place === now.place && this.choice.rule === "hand") return;
    this.choice = { ...this.choice, rule: "hand", cut: this.table.cutOf(now.pool, place) };
    this.draw(true);
    if (what !== "move") this.later();
  }

  later() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.send(), PAUSE_MS);
  }

  send() {
    clearTimeout(this.timer);
    this.tell(this.choice);
  }

  // cutAlone: the curves stay.
  draw(cutAlone = false) {
    cancelAnimationFrame(this.frame);
    this.frame = 0;
    if (this.isClosed) return;
    const width = this.frames.find((frame) => frame.element.clientWidth)?.element.clientWidth ?? 300;
    const now = this.table.read(this.choice, this.turned);
    const { words } = this.head;
    this.now = now;
    this.root.classList.toggle("other", now.isOther);
    PICTURES.forEach((picture, i) => {
      const frame = this.frames[i];
      const isWhole = !cutAlone || picture.upright || frame.width !== width;
      if (isWhole) {
        frame.resize(width);
        frame.begin(picture.axes(now));
        picture.draw(frame, now);
      }
      if (now.at) frame.mark(picture.at(now));
      else frame.front.replaceChildren();
      const note = words.notes[now.turned && picture.turn ? picture.turn : picture.name] ?? "";
      frame.note.textContent = fill(note, now.text);
      frame.title.textContent = words.titles[now.turned && picture.turn ? picture.turn : picture.name];
      const alt = now.at ? words.alts[picture.name] : words.altsBare[picture.name];
      frame.say(fill(alt, now.text), now.at ? fill(words.valueText, now.text) : now.unreached, now.place ?? 0, now.curves.n - 1);
    });
    this.form.show(this.choice, now);
  }
}
