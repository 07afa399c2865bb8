// A what-if on the stage: the film of the newest request takes the place of the recorded one until it is reset.

import { Film } from "./data.js";
import { TEXT } from "./text.js";
import { UNIT } from "./units.js";
import { WhatIf } from "./whatif.js";

export class Preview {
  constructor(stage) {
    this.stage = stage;
    this.film = null; // the film shown; null: the recorded one
    this.next = null; // a film whose first frame is awaited
    this.seq = 0;
    this.word = ""; // the chip
    this.curve = null; // {recall, precision, ap}
    this.box = null; // the view box of the recorded film in the plane: the picture stands still
    this.whatIf = new WhatIf({ takePart: (chunk, seq) => this.takePart(chunk, seq), fail: (sentence) => this.fail(sentence) });
  }

  get isOn() { return Boolean(this.film); }

  // values: {name of a control: value}.
  change(values) {
    const { spec } = this.stage.side.whatif;
    const own = {};
    const data = { ...spec.data };
    for (const [name, value] of Object.entries(values)) (name !== "data" && name in spec ? own : data)[name] = value;
    this.whatIf.changeSpec({ ...spec, ...own, data });
    this.setWord(TEXT.preview);
  }

  takePart(chunk, seq) {
    if (seq !== this.seq) {
      this.seq = seq;
      this.next?.close();
      this.next = this.makeFilm();
    }
    (this.next ?? this.film).receive(chunk);
  }

  makeFilm() {
    const film = new Film({
      reset: (head) => film.reset({ ...head, autoplay: false }),
      showChunk: (change) => this.showChunk(film, change),
    });
    film.request = () => {}; // a preview is not sent again
    return film;
  }

  showChunk(film, { hasScene }) {
    if (film !== this.next && film !== this.film) return;
    if (film === this.next && film.last >= 0) this.swap(film);
    if (film !== this.film) return;
    const { stage } = this;
    const { head } = film;
    if (hasScene) stage.views[0].clearLayers();
    if (film.hasEnded) this.finish(head);
    stage.arrange();
    stage.refresh();
    stage.loop.invalidate();
  }

  // The film changes at the first new frame; the old boundary stays as a ghost until the last part.
  swap(film) {
    const { stage } = this;
    const [view] = stage.views;
    if (!this.film) this.box = readBox(view);
    if (!view.ghost && view.film.scene) view.ghost = { lines: view.surface.lines.map((line) => [...line]), scene: view.film.scene };
    this.film?.close();
    this.film = film;
    this.next = null;
    stage.arrange();
    stage.clock.reset();
    stage.clock.isLive = true;
    stage.clock.position = film.last;
  }

  finish(head) {
    const [view] = this.stage.views;
    view.ghost = null;
    if (head.pr) this.curve = { recall: head.pr.recall, precision: head.pr.precision, ap: head.ap };
    if (head.status === "failed") this.setWord(head.text || TEXT.noPreview);
  }

  fail(sentence) {
    this.setWord(sentence || TEXT.noPreview);
  }

  setWord(word) {
    if (word === this.word) return;
    this.word = word;
    this.stage.refresh();
  }

  // The recorded film's view box in the units of a preview's scene.
  boxFor(film) {
    if (film !== this.film || !this.box || !film.scene) return null;
    const { centre, half } = film.scene;
    const place = (value, axis) => ((value - centre[axis]) / half[axis]) * UNIT;
    const { left, right, low, high } = this.box;
    return { left: place(left, 0), right: place(right, 0), low: place(low, 1), high: place(high, 1) };
  }

  // Back to the recorded film.
  end() {
    this.whatIf.stop();
    this.next?.close();
    this.film?.close();
    const wasOn = this.isOn;
    this.next = this.film = this.curve = this.box = null;
    this.word = "";
    const { stage } = this;
    stage.views[0].ghost = null;
    if (!wasOn) return;
    stage.arrange();
    stage.clock.isLive = !stage.clock.film.hasEnded;
    stage.clock.isPlaying = false;
    stage.clock.position = stage.clock.film.last;
    stage.refresh();
    stage.loop.invalidate();
  }
}

// A view's box in the plane, in sd.
function readBox({ box, film }) {
  if (!box) return null;
  const { centre, half } = film.scene;
  const place = (value, axis) => centre[axis] + (value / UNIT) * half[axis];
  return { left: place(box.left, 0), right: place(box.right, 0), low: place(box.low, 1), high: place(box.high, 1) };
}
