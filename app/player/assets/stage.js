// The stage: one or two films, precision-recall curve, what-if rail and timeline as one component. It owns the Lab's first screen.
// This file joins the parts; what they look like is in layout.js and player.css.

import { Clock } from "./clock.js";
import { Curves } from "./curves.js";
import { Film, identify } from "./data.js";
import { SideForm } from "./form.js";
import { Head } from "./head.js";
import { keepFilm, recallFilm } from "./kept.js";
import { findAction } from "./keys.js";
import { findElements, TEMPLATE } from "./layout.js";
import { Loop } from "./loop.js";
import { makeMount } from "./mounting.js";
import { Difference, matchPosition } from "./pair.js";
import { fitCanvas } from "./pen.js";
import { findBox, isSamePlane, layOut } from "./plane.js";
import { Preview } from "./preview.js";
import { Rail } from "./rail.js";
import { makeElement } from "./svg.js";
import { Teller } from "./teller.js";
import { TEXT } from "./text.js";
import { Timeline } from "./timeline.js";
import { TOOLS } from "./tools.js";
import { FilmView } from "./view.js";
import { splitParts } from "./whatif.js";
import { Words } from "./words.js";

const PHONE = 768; // px of the window's width
const NARROW = 700; // px of the stage's: below, it is one column
const PAIRS = new Set(["both", "difference"]); // views that need two films

class Stage {
  constructor(parent) {
    this.root = makeElement("div", "lab-player lab-stage");
    this.root.style.visibility = "hidden"; // until the style sheet, which is a file of its own, is there
    this.root.innerHTML = TEMPLATE;
    parent.append(this.root);
    this.ui = findElements(this.root);
    this.actions = this.ui.actions;
    this.side = {};
    this.view = ""; // the name of the view that is shown
    this.sideView = ""; // the view that the page asked for last
    this.leader = ""; // the identity of the film that the page sent first
    this.page = null; // {trigger, state}: what goes back to the page
    this.redraws = 0;
    this.cost = 0; // ms a redraw takes, of late

    const invalidate = () => this.loop.invalidate();
    this.films = [0, 1].map((i) => this.makeFilm(i));
    this.clock = new Clock(this.root, this.films[0], {
      refresh: () => this.refresh(), invalidate, announce: () => this.announceSummary(), setFactor: () => {},
    });
    this.follower = this.makeFollower();
    const showSelection = () => this.teller.showSelection();
    this.views = this.films.map((film, i) => new FilmView(this.root, this.ui.films[i], film, i ? this.follower : this.clock, { invalidate, showSelection }));
    const shown = { majority: true, surface: true, trails: true, threads: false, contributions: true, arrows: true, making: true, scale: false };
    this.views.forEach((view) => Object.assign(view, { shown, overlay: (pen, of) => this.eachTool("draw", pen, of) }));
    this.words = this.views.map((view) => new Words(view.film, view.clock, view));
    this.timeline = new Timeline(this.ui, this.films[0], this.clock, this.views[0], this.words[0], invalidate);
    this.difference = new Difference();
    this.head = new Head(this);
    this.teller = new Teller(this);
    this.curves = new Curves(this.ui.pr);
    this.preview = new Preview(this);
    this.whatIf = this.preview.whatIf;
    this.rail = new Rail(this.ui.side, {
      change: (values) => this.preview.change(values), take: (values) => this.send("take", { values }), reset: () => this.preview.end(),
    });
    this.loop = new Loop(this.root, {
      draw: (elapsedMs) => this.advance(elapsedMs), isMoving: () => this.clock.isMoving, blur: () => this.blur(),
    });
    this.listeners = new AbortController();
    this.sizes = new ResizeObserver(() => this.resize());
    this.tools = TOOLS.map((Tool) => new Tool(this));
    this.form = new SideForm();
    this.listen();
    this.fit();
    this.refresh();
  }

  makeFilm(index) {
    const film = new Film({ reset: (head) => this.resetFilm(index, head), showChunk: (change) => this.showChunk(index, change) });
    film.request = (first) => this.send("need", { film: index, first });
    return film;
  }

  // The clock of the right film: at the phase, and the share of its steps, of the left.
  makeFollower() {
    const stage = this;
    return {
      get position() { return matchPosition(stage.clock.film, stage.clock.position, stage.views[1].film); },
      get index() { return Math.min(stage.views[1].film.last, Math.floor(this.position + 1e-6)); },
      get isMoving() { return stage.clock.isMoving; },
    };
  }

  get theme() { return this.views[0].theme; }
  get filmViews() { return this.listViews().filter(({ name }) => !PAIRS.has(name)); }
  get isPair() { return PAIRS.has(this.view) && Boolean(this.films[1].head.run) && !this.preview.isOn; }
  get isNarrow() { return this.root.dataset.narrow === "true"; }

  // ---- what comes from the page ----

  receive(data, page) {
    this.page = page;
    if (data?.byteLength >= 4) {
      const { parts } = splitParts(data);
      const head = readHead(parts[0]);
      this.takeSide(head.side);
      // Another run leads: a second film is sent anew where it is to be seen.
      if (identify(head) !== this.leader && parts.length < 2 && this.films[1].head.run) this.resetFilm(1, {});
      this.leader = identify(head);
      parts.forEach((part, i) => this.films[i]?.receive(part));
    }
    this.readTheme();
    this.tellWidth();
    this.refresh();
    this.loop.invalidate();
  }

  takeSide(side) {
    if (!side) return;
    const isOther = JSON.stringify(side) !== JSON.stringify(this.side);
    this.side = side;
    if ((side.view ?? "") !== this.sideView) {
      this.sideView = side.view ?? "";
      this.view = this.sideView;
    }
    this.form.shut(side.shut ?? "");
    this.checkView();
    if (isOther) this.eachTool("receive", side);
  }

  // The views that there is room for: two films stand side by side only in a wide stage.
  listViews() {
    return (this.side.views ?? []).filter(({ name }) => name !== "both" || !this.isNarrow);
  }

  checkView() {
    if (!this.listViews().some(({ name }) => name === this.view)) this.view = this.listViews()[0]?.name ?? "";
  }

  resetFilm(index, head) {
    const film = this.films[index];
    film.reset(head);
    if (!index) this.preview.end();
    for (const view of this.views) if (view.film === film) view.reset();
    const leads = this.clock.film === film;
    if (leads) this.clock.reset();
    const kept = recallFilm("stage", head);
    if (!kept) return;
    film.restore(kept.film);
    if (leads && kept.clock) this.clock.restore(kept.clock);
  }

  showChunk(index, { hasScene, isFirst, isEnd }) {
    const film = this.films[index];
    if (hasScene) for (const view of this.views) if (view.film === film) view.clearLayers();
    this.arrange();
    if (isFirst && this.clock.film === film) this.clock.begin();
    if (isEnd && !this.clock.isLive) this.announceSummary();
    this.refresh();
    this.loop.invalidate();
  }

  readTheme() {
    const changed = this.views.map((view) => view.readTheme());
    if (changed.some(Boolean)) this.teller.invalidate();
  }

  // ---- what is shown ----

  // Puts films into views: the left one leads; a view that is one film shows that film at its left.
  arrange() {
    const place = this.filmViews.findIndex(({ name }) => name === this.view);
    const recorded = this.films[place]?.head.run ? this.films[place] : this.films[0];
    this.isMissing = place > 0 && recorded !== this.films[place];
    this.lead(this.preview.film ?? recorded);
    this.follow();
    this.layout();
  }

  // The film that the clock runs in; it goes on where the one before was.
  lead(film) {
    const before = this.clock.film;
    if (before === film) return;
    const position = film.last >= 0 && before.last >= 0 ? matchPosition(before, this.clock.position, film) : 0;
    this.clock.film = this.timeline.film = this.words[0].film = film;
    this.views[0].setFilm(film);
    this.words[0].film = film;
    this.clock.position = position;
    this.teller.invalidate();
  }

  follow() {
    const [, right] = this.films;
    if (this.views[1].film !== right) this.views[1].setFilm(right);
    const isShown = this.films[1].last >= 0 && this.films[0].last >= 0 && this.isPair;
    this.timeline.other = isShown ? { film: right, positionAt: (position) => matchPosition(this.clock.film, position, right) } : null;
    if (this.isPair) this.difference.setPair(this.films[0], right);
    this.views[0].difference = this.view === "difference" && this.isPair && this.difference.isKnown ? this.difference : null;
  }

  layout() {
    const [left, right] = this.views;
    const isOne = isSamePlane(left.film.scene, this.films[1].scene);
    const films = isOne ? [left.film, this.films[1]] : [left.film];
    const isGrowing = !left.film.hasEnded;
    const box = this.preview.boxFor(left.film) ?? findBox(films, isGrowing ? left.box : null);
    left.layout(box);
    right.layout(isOne ? box : null);
  }

  setView(name) {
    if (name === this.view || !this.listViews().some((view) => view.name === name)) return;
    this.view = name;
    if (this.preview.isOn) this.preview.end();
    this.arrange();
    this.page?.state("view", name);
    this.refresh();
    this.resize();
  }

  // ---- drawing ----

  advance(elapsedMs) {
    this.clock.advance(elapsedMs);
    this.draw();
  }

  // Without a graphics card a sharp picture can be too slow to move smoothly: then it is drawn with one pixel per px.
  blur() {
    if (this.views[0].dpr <= 1) return;
    for (const view of this.views) view.maxDpr = 1;
    this.resize();
  }

  resize() {
    this.fit();
    for (const view of this.views) view.resize();
    this.layout();
    this.timeline.resize();
    this.head.fitMarks();
    this.tellWidth();
    this.drawSide();
    this.draw(); // at once: an emptied canvas must not be painted
  }

  // One column where the stage is narrow.
  fit() {
    const isNarrow = String(this.root.offsetWidth < NARROW);
    if (this.root.dataset.narrow === isNarrow) return;
    this.root.dataset.narrow = isNarrow;
    this.checkView();
    this.arrange();
    this.refresh();
  }

  draw() {
    if (!this.views[0].size || !this.root.isConnected) return;
    const began = performance.now();
    const [left, right] = this.views;
    const { film } = left;
    if (this.isPair && this.films.every(({ last }) => last >= 0)) {
      left.surface.set(film, this.clock.position);
      right.surface.set(right.film, this.follower.position);
      if (this.difference.isKnown) this.difference.set(left.surface, right.surface);
    }
    left.draw();
    if (this.view === "both" && this.isPair) {
      right.draw();
      this.drawPicture();
    }
    this.timeline.draw();
    this.teller.tell();
    this.redraws += 1;
    this.cost += (performance.now() - began - this.cost) / Math.min(this.redraws, 30);
    this.root.dataset.redraws = this.redraws;
    this.root.dataset.cost = this.cost.toFixed(2);
  }

  // The difference beside the two films.
  drawPicture() {
    const { picture, below } = this.ui;
    if (!below.clientHeight || !this.difference.isKnown) return;
    const [left] = this.views;
    const size = fitCanvas(picture, picture.parentElement, left.dpr);
    if (!size) return;
    const pen = picture.getContext("2d");
    pen.setTransform(left.dpr, 0, 0, left.dpr, 0, 0);
    this.difference.surface.paintDifference(pen, layOut(left.box, left.film.scene, size), this.theme, this.difference.most);
  }

  // ---- state ----

  // Brings the controls, and all that does not depend on the frame shown, up to date.
  refresh() {
    if (!this.loop) return; // the constructor is still at work
    const { clock, theme, root } = this;
    const { film } = clock;
    Object.assign(root.dataset, {
      status: film.status, frames: Math.max(0, film.frames.length), gaps: this.films[0].gaps + this.films[1].gaps,
      playing: String(clock.showsPlaying), live: String(clock.isLive && !film.hasEnded), speed: clock.speed, dark: String(theme.isDark),
      run: this.films[0].head?.run ?? "", view: this.view, whatif: String(Boolean(this.side.whatif)),
      pair: String(this.isPair), preview: String(this.preview.isOn),
    });
    root.setAttribute("aria-label", "Stage");
    this.head.refresh();
    this.refreshControls();
    this.views.forEach((view, i) => this.refreshFilm(view, i));
    this.drawSide();
    this.teller.invalidate();
  }

  refreshControls() {
    const { ui, clock } = this;
    const { film } = clock;
    const isEmpty = film.last < 0;
    ui.play.disabled = ui.speed.disabled = isEmpty;
    ui.play.setAttribute("aria-label", clock.showsPlaying ? "Pause" : "Play");
    ui.live.hidden = film.hasEnded || isEmpty || clock.isLive;
    if (ui.speed.value !== String(clock.speed)) ui.speed.value = String(clock.speed);
    ui.time.setAttribute("aria-valuemin", isEmpty ? 0 : 1);
    ui.time.setAttribute("aria-valuemax", film.frames.length);
    ui.time.setAttribute("aria-disabled", String(isEmpty));
  }

  refreshFilm(view, i) {
    const { name, note, empty, stage, film: element } = this.ui.films[i];
    const { film } = view;
    const { scene, status, head } = film;
    const known = this.filmViews[i];
    element.hidden = Boolean(i) && !(this.view === "both" && this.isPair);
    element.dataset.dimmed = String(status === "failed" && film.last >= 0);
    name.textContent = known?.label ?? "";
    note.textContent = known?.note ?? "";
    empty.hidden = Boolean(scene);
    if (!scene) empty.replaceChildren(makeElement("span", "", head.run ? this.words[i].describeAbsence() : TEXT.empty));
    const title = known?.label ? `${known.label}: ` : "";
    stage.setAttribute("aria-label", `${title}synthetic points over the decision surface, ${status}`);
    view.ui.canvas.setAttribute("aria-label", this.describe(i));
  }

  // The text alternative of a film: the verdict, and what is drawn.
  describe(i) {
    const verdict = this.side.save?.verdict;
    return (verdict ? `${verdict} ` : "") + this.words[i].describePicture();
  }

  drawSide() {
    const { film } = this.clock;
    const isTraining = !film.hasEnded && !this.preview.isOn;
    this.rail.set(this.side, isTraining, this.theme);
    this.curves.set({ pr: this.side.pr ?? null, preview: this.preview.curve, theme: this.theme });
    this.root.dataset.rail = this.rail.state;
  }

  // ---- what is told ----

  announceSummary() {
    const text = this.words[0].summarise();
    this.ui.films[0].canvas.setAttribute("aria-label", this.describe(0));
    if (this.clock.film.hasEnded) this.announce(text);
  }

  announce(text) {
    if (this.ui.announcement.textContent !== text) this.ui.announcement.textContent = text;
  }

  say(text) {
    this.word = text;
    this.refresh();
  }

  // ---- back to the page ----

  send(name, value) {
    this.page?.trigger(name, value);
  }

  // The window's width, at first where it is a phone's, then each time it passes the limit.
  tellWidth() {
    const isPhone = window.innerWidth < PHONE;
    if (!this.page || isPhone === Boolean(this.wasPhone)) return;
    this.wasPhone = isPhone;
    this.page.state("width", window.innerWidth);
  }

  // ---- events of the page ----

  listen() {
    const { ui, clock } = this;
    const on = (target, name, action) => target.addEventListener(name, action, { signal: this.listeners.signal });
    on(clock.reducedMotion, "change", () => clock.settle());
    on(ui.play, "click", () => clock.toggle());
    on(ui.live, "click", () => clock.goLive());
    on(ui.speed, "change", () => clock.setSpeed(Number(ui.speed.value)));
    on(ui.help, "click", () => this.toggleHelp());
    on(ui.more, "click", () => this.toggleMore());
    on(this.root, "keydown", (event) => this.handleKey(event));
    for (const view of this.views) {
      const { canvas } = view.ui;
      for (const name of ["pointerdown", "pointermove", "pointerup", "pointerleave"]) {
        on(canvas, name, (event) => this.someTool("point", view, event) && event.stopImmediatePropagation());
      }
      view.listen(on);
      this.sizes.observe(view.ui.stage);
    }
    this.timeline.listen(on);
    this.curves.listen(on);
    this.sizes.observe(ui.time);
    this.sizes.observe(ui.pr);
    this.sizes.observe(this.root);
  }

  eachTool(method, ...given) {
    for (const tool of this.tools ?? []) tool[method]?.(...given);
  }

  someTool(method, ...given) {
    return (this.tools ?? []).some((tool) => tool[method]?.(...given));
  }

  toggleHelp() {
    const { help, helpPanel } = this.ui;
    helpPanel.hidden = !helpPanel.hidden;
    help.setAttribute("aria-expanded", String(!helpPanel.hidden));
  }

  toggleMore() {
    const isOpen = this.ui.head.classList.toggle("open");
    this.ui.more.setAttribute("aria-expanded", String(isOpen));
  }

  handleKey(event) {
    const isTyping = event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, .pr");
    const control = event.target.closest("button, select");
    if (control && (event.key === " " || control.tagName === "SELECT")) return; // the control's own keys
    const isTaken = this.someTool("key", event);
    const action = isTyping ? null : findAction(this, event.key);
    if (!isTaken && !action) return;
    event.preventDefault();
    event.stopPropagation();
    if (!isTaken) action();
  }

  letGo() {
    if (!this.ui.helpPanel.hidden) this.toggleHelp();
    for (const view of this.views) view.select(-1, null);
  }

  nextView() {
    const names = this.listViews().map(({ name }) => name);
    if (names.length > 1) this.setView(names[(names.indexOf(this.view) + 1) % names.length]);
  }

  toggleShown(name) {
    const { shown } = this.views[0]; // both views share it
    shown[name] = !shown[name];
    this.refresh();
    this.loop.invalidate();
  }

  selectNext(by) {
    if (this.views[0].selectNext(by)) this.announce(this.words[0].describeSelection().join(", "));
  }

  invalidate() {
    this.loop.invalidate();
  }

  close() {
    this.eachTool("close");
    this.preview.end();
    this.loop.close();
    this.listeners.abort();
    this.sizes.disconnect();
    for (const film of this.films) {
      keepFilm("stage", film, { clock: this.clock.film === film ? this.clock.snapshot() : null });
      film.close();
    }
    this.root.remove();
  }
}

function readHead(chunk) {
  const length = new DataView(chunk.buffer, chunk.byteOffset).getUint32(0, true);
  return JSON.parse(new TextDecoder().decode(chunk.subarray(4, 4 + length)));
}

export default makeMount(Stage);
