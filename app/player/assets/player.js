// The player: one canvas, one clock. Data come in as chunks (app/player/__init__.py says how they are written); what is here
// stays here, so a chunk holds only what is new. Names in the data are a stranger's: they reach the page by textContent only.

const GRID = 48;
const UNIT = 8191;
const HALF = 127.5; // the surface's value at probability one half
const NEAR = 12; // px: how close a pointer must come to a synthetic point
const SMALL = 5; // px: below this the largest move cannot be seen
const REST = 1600; // ms at the end before the loop begins again
const FACTORS = [1, 3, 10, 30];
const LONGEST = 46; // px: the longest arrow of the meta-gradient; an arrow a quarter as strong is half as long
const MOST_DRAWN = 300; // the engine pictures at most so many synthetic points
const CHOSEN = "chosen"; // the engine's last frame: the epoch that was kept. It stands apart: nothing moves into it
const FINAL = new Set(["finished", "cancelled", "failed", "interrupted"]);

const players = new WeakMap(); // parent element -> Player
const groups = new Map(); // name -> Set of players with one scrubber
const kept = new Map(); // run, replicate, take -> what a player that left the page held: it may come back
const KEPT = 4;

export default function ({ data, parentElement, setTriggerValue }) {
  let player = players.get(parentElement);
  if (!player) {
    player = new Player(parentElement);
    players.set(parentElement, player);
  }
  player.ask = (from) => setTriggerValue("need", from);
  player.receive(data);
  // Streamlit also calls this when newer data overtook a call: only what has left the page is over.
  return () => setTimeout(() => {
    if (parentElement.isConnected || players.get(parentElement) !== player) return;
    players.delete(parentElement);
    player.close();
  });
}

const TEMPLATE = `
<div class="top"><span class="badge"></span><span class="caption"></span><span class="readout"></span></div>
<div class="stage" tabindex="0" role="group">
  <canvas role="img"></canvas>
  <span class="axis x"></span><span class="axis y"></span>
  <div class="notes"><span class="zoomed" hidden></span><button type="button" class="hint" hidden></button><span class="slice" hidden></span></div>
  <div class="tip" hidden></div>
  <div class="empty"></div>
</div>
<div class="time" tabindex="0" role="slider" aria-label="Frame shown; the line is validation average precision"><canvas aria-hidden="true"></canvas></div>
<div class="bar">
  <div class="set" role="group" aria-label="Playback">
    <button type="button" class="icon back" aria-label="One frame back" title="One frame back (left arrow)"><svg viewBox="0 0 24 24" aria-hidden="true"><path d="M6 5h2.5v14H6zM20 5v14L9.5 12z"/></svg></button>
    <button type="button" class="icon play" aria-label="Play" title="Play or pause (space)"><svg class="go" viewBox="0 0 24 24" aria-hidden="true"><path d="M7 4.5v15l13-7.5z"/></svg><svg class="pause" viewBox="0 0 24 24" aria-hidden="true"><path d="M6 4.5h4.2v15H6zM13.8 4.5H18v15h-4.2z"/></svg></button>
    <button type="button" class="icon next" aria-label="One frame forward" title="One frame forward (right arrow)"><svg viewBox="0 0 24 24" aria-hidden="true"><path d="M15.5 5H18v14h-2.5zM4 5l10.5 7L4 19z"/></svg></button>
    <button type="button" class="live" title="Follow the training" hidden>live</button>
    <select class="speed" aria-label="Speed" title="Speed (+ and -)"><option value="0.25">0.25&times;</option><option value="0.5">0.5&times;</option><option value="1" selected>1&times;</option><option value="2">2&times;</option><option value="4">4&times;</option></select>
  </div>
  <div class="set magnify"><span class="label">movement</span><div class="set joined" role="group" aria-label="Magnify movement"></div></div>
</div>
<div class="bar legend" role="group" aria-label="Legend; the buttons show and hide"></div>
<div class="sr" aria-live="polite"></div>
<div class="sr keys">Space plays and pauses. Left and right arrows step. Home and End jump. Plus and minus change the speed. Square brackets go through the synthetic points; Escape lets go.</div>`;

const LIGHT = {
  majority: "#0072B2", low: "#0072B2", high: "#D55E00", lowMix: 0.42, highMix: 0.46, edge: "#FFFFFF",
  minority: ["#D55E00", "#8A6100", "#00795A", "#5B5B5B"], trail: "#C4268A", synthetic: "#86125C", helps: "#005C42", fill: "#FFFFFF", halo: "rgba(255,255,255,0.8)",
};
const DARK = {
  majority: "#56B4E9", low: "#0072B2", high: "#D55E00", lowMix: 0.5, highMix: 0.46, edge: "#10161A",
  minority: ["#FF8B3D", "#F0C24B", "#3FCFA5", "#C9C9C9"], trail: "#FF86CE", synthetic: "#FFC9EA", helps: "#57E3B6", fill: "#2A0F20", halo: "rgba(0,0,0,0.55)",
};
const SHAPES = ["triangle", "square", "wedge", "pentagon", "cross"]; // of minority classes, in order; the majority is a circle

class Player {
  constructor(parent) {
    this.root = document.createElement("div");
    this.root.className = "lab-player";
    this.root.style.visibility = "hidden"; // until the style sheet, which is a file of its own, is there
    this.root.innerHTML = TEMPLATE;
    parent.append(this.root);
    const find = (selector) => this.root.querySelector(selector);
    this.ui = {
      badge: find(".badge"), caption: find(".caption"), readout: find(".readout"), stage: find(".stage"), canvas: find(".stage canvas"),
      axisX: find(".axis.x"), axisY: find(".axis.y"), zoomed: find(".zoomed"), slice: find(".slice"), hint: find(".hint"), tip: find(".tip"),
      empty: find(".empty"), time: find(".time"), line: find(".time canvas"), back: find(".back"), play: find(".play"), next: find(".next"),
      live: find(".live"), speed: find(".speed"), magnify: find(".magnify"), factors: find(".joined"), legend: find(".legend"),
      said: find("[aria-live]"),
    };
    find(".keys").id = "keys";
    this.ui.stage.setAttribute("aria-describedby", "keys");
    this.pen = this.ui.canvas.getContext("2d");
    this.linePen = this.ui.line.getContext("2d");
    this.field = document.createElement("canvas");
    this.still = document.createElement("canvas"); // real points: they never move
    this.shown = { majority: true, surface: true, trails: true, threads: true, worth: true, arrows: false };
    this.redraws = 0;
    this.gaps = 0;
    this.queue = Promise.resolve();
    this.visible = true;
    this.sharpest = 3;
    this.stageSize = this.lineSize = null;
    this.reset({});
    this.theme();
    this.listen();
    this.factorButtons();
    this.state();
  }

  reset(head) {
    this.run = head.run; this.replicate = head.replicate; this.take = head.take;
    this.scene = null; this.scenes = 0; this.frames = []; this.labels = {}; this.head = head; this.worth = null;
    this.pos = 0; this.playing = false; this.live = !FINAL.has(head.status); this.rest = 0; this.speed ||= 1; this.factor ||= 1;
    this.selected = -1; this.hovered = null;
    this.ghost = null; this.ghostFrame = -1; this.stillKey = this.fieldKey = this.contourKey = ""; this.contour = [];
    this.rows = null; this.lastShown = -1; this.asked = -1; this.leader = null; clearTimeout(this.waiter); this.low = this.high = NaN;
    const old = kept.get(identity(head));
    if (old) {
      kept.delete(identity(head));
      Object.assign(this, old);
      this.ui.speed.value = String(this.speed);
      if (this.scene) this.layout();
    }
  }

  keep() {
    if (!this.run || !this.frames.length) return;
    const { scene, scenes, frames, labels, worth, pos, playing, live, speed, factor, shown, ghostFrame, low, high } = this;
    kept.set(identity(this), { scene, scenes, frames, labels, worth, pos, playing, live, speed, factor, shown, ghostFrame, low, high });
    if (kept.size > KEPT) kept.delete(kept.keys().next().value);
  }

  // ---- data ----

  receive(data) {
    this.theme();
    this.invalidate();
    if (!data || data.byteLength < 4) return;
    const bytes = data.slice(); // aligned, and ours
    this.queue = this.queue.then(() => this.add(bytes)).catch((error) => {
      if (!this.closed) console.error("player: a chunk could not be read", error);
    });
  }

  async add(bytes) {
    const length = new DataView(bytes.buffer).getUint32(0, true);
    const head = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length)));
    const packed = bytes.subarray(4 + length);
    const body = packed.length ? await inflate(packed) : packed;
    if (this.closed) return;
    if (head.run !== this.run || head.replicate !== this.replicate || head.take !== this.take) this.reset(head);
    const fresh = this.frames.length === 0;
    if (!fresh && this.legendPoints === undefined) this.legend(); // it came back
    const ran = !FINAL.has(this.head.status);
    this.head = head;
    this.join(head.group);
    const reader = new Reader(body);
    if (head.scene) this.setScene(head.scene, head.scenes, reader);
    const have = this.frames.length;
    if (head.first > have || head.scenes > this.scenes) this.missing(have);
    else {
      this.append(head, reader, have - head.first);
      if (head.contributions) this.setWorth(head.contributions, reader);
    }
    if (fresh && this.frames.length) this.begin();
    if (ran && FINAL.has(head.status) && !fresh && !this.live) this.announce();
    this.agree();
    this.state();
    this.invalidate();
  }

  missing(from) {
    // Once per gap; the wish is made again, later and later, only while no answer comes.
    if (this.asked === from) return;
    clearTimeout(this.waiter);
    this.tries = 0;
    const wish = () => {
      this.asked = from;
      this.gaps += 1;
      this.ask(from);
      if (++this.tries < 6) this.waiter = setTimeout(wish, 1000 * 2 ** this.tries);
    };
    wish();
  }

  setScene(scene, number, reader) {
    scene.points = reader.wide(2 * scene.real, Int16Array);
    scene.labels = reader.take(scene.real).slice();
    scene.origins = reader.wide(2 * scene.parents, Int16Array);
    scene.originLabels = reader.take(scene.parents).slice();
    this.scene = scene;
    this.scenes = number;
    this.stillKey = "";
    this.rows = null;
    this.layout();
    this.legend();
  }

  append(head, reader, skip) {
    const count = head.n.length;
    const cells = GRID * GRID;
    const frames = [];
    for (let i = 0; i < count; i++) {
      const surface = reader.take(cells).slice();
      if (i) for (let c = 0, before = frames[i - 1].surface; c < cells; c++) surface[c] += before[c];
      else for (let c = 1; c < cells; c++) surface[c] += surface[c - 1];
      frames.push({ surface, phase: head.phases[head.phase[i]], epoch: head.epoch[i], step: head.step[i], score: head.score[i] ?? NaN });
    }
    for (const [name, width, Type] of [["points", 2, Int16Array], ["moved", 1, Uint16Array]]) {
      for (let i = 0; i < count; i++) {
        const values = reader.wide(width * head.n[i], Type);
        const before = i ? frames[i - 1][name] : null;
        if (before && before.length === values.length) for (let c = 0; c < values.length; c++) values[c] += before[c];
        frames[i][name] = values;
      }
    }
    this.labels = { ...this.labels, ...head.labels };
    for (const frame of frames.slice(skip)) {
      this.frames.push(frame);
      if (frame.points.length && (this.ghostFrame < 0 || !this.frames[this.ghostFrame].points.length)) this.ghostFrame = this.frames.length - 1;
      if (this.ghostFrame < 0) this.ghostFrame = 0;
      if (frame.score === frame.score) {
        this.low = this.low <= frame.score ? this.low : frame.score;
        this.high = this.high >= frame.score ? this.high : frame.score;
      }
    }
    this.asked = -1; // no gap now
    clearTimeout(this.waiter);
    this.ghost = null;
  }

  // What each point does to the validation loss at the chosen epoch, and where the meta-gradient would push it. Films of earlier
  // versions have neither; a value that is no number is not shown.
  setWorth({ n, arrows }, reader) {
    const values = reader.floats(n);
    const ways = arrows ? reader.floats(2 * n) : null;
    if (this.worth) return; // it is sent with every chunk of a finished run
    const order = [...values.keys()].filter((i) => Number.isFinite(values[i])).sort((p, q) => values[p] - values[q]);
    if (!order.length) return;
    const ranks = new Map(order.map((i, rank) => [i, rank + 1]));
    const top = Math.max(...order.map((i) => Math.abs(values[i])), 1e-30);
    const lengths = ways ? [...values.keys()].map((i) => Math.hypot(ways[2 * i], ways[2 * i + 1])) : [];
    const far = Math.max(0, ...lengths.filter(Number.isFinite));
    this.worth = { values, ways: far > 0 ? ways : null, lengths, far, ranks, top };
    this.wordsKey = "";
    if (this.scene) this.legend();
    this.announce();
  }

  // The contributions, where they are known and belong to that many points.
  worthOf(n) {
    return this.worth && this.worth.values.length === n ? this.worth : null;
  }

  begin() {
    if (FINAL.has(this.head.status)) {
      this.live = false;
      this.playing = this.head.autoplay && !this.calm.matches && this.frames.length > 1;
      if (!this.playing) this.pos = this.frames.length - 1;
    } else this.pos = this.frames.length - 1; // late comers see the present, not the beginning
    this.announce();
  }

  // ---- the clock ----

  get last() { return this.frames.length - 1; }
  get rate() { return Math.min(14, Math.max(3, this.frames.length / 8)) * this.speed; } // frames a second
  get waiting() { return !FINAL.has(this.head.status); }
  get lead() { return this.leader ?? this; }

  advance(now) {
    const took = now - (this.before ?? now);
    const passed = Math.min(100, took);
    this.before = now;
    // Where there is no graphics card a sharp picture can be too slow to be smooth: then rather smooth than sharp.
    this.late = took > 45 ? (this.late ?? 0) + 1 : Math.max(0, (this.late ?? 0) - 1);
    if (this.late > 12 && this.dpr > 1) {
      this.sharpest = 1;
      this.resize();
    }
    if (this.leader || this.last < 0) return;
    if (this.live) {
      const behind = this.last - this.pos;
      if (behind > 40) this.pos = this.last - 12; // a page that was hidden catches up
      if (this.calm.matches || behind < 0.004) this.pos = this.last;
      else this.pos = Math.min(this.last, this.pos + Math.max(behind / 600, 0.0012) * passed);
      if (this.pos === this.last && !this.waiting && this.asked < 0) {
        this.live = false;
        this.state();
        this.announce();
      }
    } else if (this.playing) {
      if (this.pos >= this.last) {
        this.rest += passed;
        if (this.waiting) this.goLive();
        else if (this.rest > REST) this.pos = this.rest = 0;
      } else if (this.calm.matches) {
        this.rest += passed * this.speed;
        if (this.rest > 350) {
          this.rest = 0;
          this.pos = Math.min(this.last, Math.floor(this.pos) + 1);
        }
      } else {
        this.rest = 0;
        this.pos = Math.min(this.last, this.pos + (this.rate * passed) / 1000);
        if (this.pos === this.last) this.announce();
      }
    }
    this.share();
  }

  get moving() { return !this.leader && this.last >= 0 && (this.live ? this.pos < this.last : this.playing); }

  invalidate() {
    if (this.closed || this.ticking || !this.visible) return;
    this.ticking = requestAnimationFrame((now) => {
      this.ticking = 0;
      this.advance(now);
      this.draw();
      if (this.moving) this.invalidate();
      else this.before = undefined;
    });
  }

  toggle() {
    if (this.led) return this.leader.toggle();
    if (this.leader) {
      const played = this.leader.playing || this.leader.live;
      this.takeLead();
      this.playing = !played;
    } else if (this.live && this.waiting) {
      this.live = this.playing = false;
    } else {
      this.playing = !this.playing;
      if (this.playing && this.pos >= this.last && !this.waiting) this.pos = 0;
    }
    this.rest = 0;
    if (!this.playing && !this.live) this.pos = Math.round(this.pos);
    this.settle();
    if (!this.playing) this.announce();
  }

  seek(pos, keep = false) {
    if (this.last < 0) return;
    if (this.led) return this.leader.seek(pos >= this.last ? this.leader.last : this.leader.placeOf(this.stepAt(Math.max(0, pos))), keep);
    this.takeLead();
    this.live = false;
    if (!keep) this.playing = false;
    this.rest = 0;
    this.pos = Math.min(this.last, Math.max(0, pos));
    this.settle();
  }

  goLive() {
    this.takeLead();
    this.live = true;
    this.playing = false;
    this.pos = this.last;
    this.settle();
  }

  setSpeed(value) {
    this.speed = value;
    this.ui.speed.value = String(value);
    this.state();
    for (const other of this.peers()) if (other.speed !== value) other.setSpeed(value);
  }

  settle() {
    this.state();
    this.share();
    this.invalidate();
  }

  // ---- one scrubber for a group: the player touched last leads, the others follow by optimiser step ----

  join(name) {
    if (this.group === name) return;
    groups.get(this.group)?.delete(this);
    this.group = name;
    this.led = false;
    this.root.dataset.led = "false";
    if (!name) return;
    if (!groups.has(name)) groups.set(name, new Set());
    groups.get(name).add(this);
  }

  // Once all of a group are finished, one scrubber is left: that of the longest run, so that every frame of each can be reached.
  agree() {
    const all = this.group ? [...groups.get(this.group)] : [];
    const ready = all.length > 1 && all.every((one) => one.last >= 0 && FINAL.has(one.head.status));
    const guide = ready ? all.reduce((best, one) => (one.end > best.end || (one.end === best.end && one.earlier(best)) ? one : best)) : null;
    for (const one of all) {
      const led = Boolean(guide) && one !== guide;
      if (one.led === led) continue;
      one.led = led;
      one.leader = led ? guide : null;
      if (led) one.live = one.playing = false;
      one.root.dataset.led = String(led);
      one.state();
    }
    if (!guide) return;
    for (const one of all) if (one !== guide) one.leader = guide; // another one may have led until now
    guide.leader = null;
    guide.settle();
  }

  get end() { return this.frames[this.last].step; }

  // Whether a reader comes to this player first.
  earlier(other) {
    const [mine, theirs] = [this.root.getBoundingClientRect(), other.root.getBoundingClientRect()];
    return mine.top < theirs.top || (mine.top === theirs.top && mine.left < theirs.left);
  }

  peers() { return this.group ? [...groups.get(this.group)].filter((other) => other !== this) : []; }

  takeLead() {
    this.leader = null;
    for (const other of this.peers()) {
      other.leader = this;
      other.live = other.playing = false;
      other.state();
    }
  }

  share() {
    if (this.leader || this.last < 0) return;
    const followers = this.peers().filter((other) => other.leader === this);
    if (!followers.length) return;
    const step = this.stepAt(this.pos);
    for (const other of followers) {
      const pos = this.pos >= this.last ? Math.max(other.placeOf(step), other.led ? other.last : 0) : other.placeOf(step);
      if (pos !== other.pos) {
        other.pos = pos;
        other.invalidate();
      }
      other.root.dataset.playing = String(this.playing);
    }
  }

  stepAt(pos) {
    const at = Math.floor(pos);
    const a = this.frames[at].step;
    return a + ((this.frames[at + 1]?.step ?? a) - a) * (pos - at);
  }

  placeOf(step) {
    let at = 0;
    while (at < this.last && this.frames[at + 1].step <= step) at++;
    if (at >= this.last) return Math.max(0, this.last);
    const a = this.frames[at].step;
    const b = this.frames[at + 1].step;
    return at + Math.min(1, Math.max(0, (step - a) / (b - a || 1)));
  }

  // ---- geometry: view box units <-> pixels ----

  layout() {
    this.stillKey = this.fieldKey = "";
    if (!this.stageSize || !this.scene) return;
    const [width, height] = this.stageSize;
    const [halfX, halfY] = this.scene.half;
    const scale = Math.min(width / (2 * halfX), height / (2 * halfY)); // px per sd: the box fills the stage one way
    this.view = { width, height, scale, x: width / 2, y: height / 2, kx: (halfX * scale) / UNIT, ky: (halfY * scale) / UNIT };
  }

  // Drawn places [2n] at a clock position, movement magnified; and how far each is from its drawn start.
  places(pos) {
    const at = Math.floor(pos);
    const a = this.frames[at]?.points;
    if (!a?.length || !this.view) return null;
    const b = this.frames[at + 1]?.points;
    const t = b && b.length === a.length && !this.apart(at + 1) ? pos - at : 0;
    const out = new Float32Array(a.length);
    const origin = this.origins(a.length);
    const { x, y, kx, ky } = this.view;
    const factor = this.factor;
    for (let i = 0; i < a.length; i += 2) {
      const u = a[i] + (t ? (b[i] - a[i]) * t : 0);
      const v = a[i + 1] + (t ? (b[i + 1] - a[i + 1]) * t : 0);
      out[i] = x + (origin[i] + factor * (u - origin[i])) * kx;
      out[i + 1] = y - (origin[i + 1] + factor * (v - origin[i + 1])) * ky;
    }
    return out;
  }

  apart(index) {
    return this.frames[index]?.phase === CHOSEN;
  }

  // The frame of the same epoch on the way there: of a frame that stands apart, else the frame itself.
  onTheWay(index) {
    if (!this.apart(index)) return index;
    let at = index - 1;
    const phase = this.frames[at]?.phase;
    while (at > 0 && this.frames[at].epoch > this.frames[index].epoch && this.frames[at - 1].phase === phase) at--;
    return Math.max(0, at);
  }

  // Where points are magnified from: their parents, or where they were first seen if the scene does not know the parents.
  origins(length) {
    return this.scene.origins.length === length ? this.scene.origins : this.start().points;
  }

  start() {
    return this.frames[this.ghostFrame];
  }

  // Drawn moves in px at a whole frame: sorted.
  moves(index) {
    const frame = this.frames[index];
    if (!frame?.points.length || !this.view) return [];
    const from = this.start().points;
    if (from.length !== frame.points.length) return [];
    const out = [];
    for (let i = 0; i < from.length; i += 2) {
      out.push(this.factor * Math.hypot((frame.points[i] - from[i]) * this.view.kx, (frame.points[i + 1] - from[i + 1]) * this.view.ky));
    }
    return out.sort((p, q) => p - q);
  }

  // ---- colours ----

  theme() {
    const style = getComputedStyle(this.root);
    const paper = colour(style.getPropertyValue("--st-background-color")) ?? [255, 255, 255];
    const ink = colour(style.getPropertyValue("--st-text-color")) ?? [34, 34, 34];
    const key = `${paper}|${ink}`;
    if (key === this.themeKey) return;
    this.themeKey = key;
    this.paper = css(paper);
    this.ink = css(ink);
    this.inkOf = (alpha) => `rgba(${ink.join(",")},${alpha})`;
    this.paperOf = (alpha) => `rgba(${paper.join(",")},${alpha})`;
    this.dark = paper[0] * 0.3 + paper[1] * 0.59 + paper[2] * 0.11 < 128;
    this.palette = this.dark ? DARK : LIGHT;
    const low = colour(this.palette.low);
    const high = colour(this.palette.high);
    this.ramp = new Uint8Array(256 * 3);
    for (let value = 0; value < 256; value++) {
      const far = Math.abs(value - HALF) / HALF;
      const mix = Math.pow(far, 0.75) * (value < HALF ? this.palette.lowMix : this.palette.highMix);
      const end = value < HALF ? low : high;
      for (let c = 0; c < 3; c++) this.ramp[value * 3 + c] = Math.round(paper[c] + (end[c] - paper[c]) * mix);
    }
    this.stillKey = this.fieldKey = "";
    if (this.scene) this.legend();
  }

  minorityNumber(label) {
    return label - (label > this.scene.majority ? 1 : 0); // from 0; shape and colour together tell 20 apart
  }

  look(label) {
    if (label === this.scene.majority) return { shape: "circle", colour: this.palette.majority };
    const number = this.minorityNumber(label);
    return { shape: SHAPES[number % SHAPES.length], colour: this.palette.minority[number % this.palette.minority.length] };
  }

  // ---- drawing ----

  draw() {
    const pen = this.pen;
    if (!this.stageSize || !this.root.isConnected) return;
    const [width, height] = this.stageSize;
    const dpr = this.dpr;
    pen.setTransform(dpr, 0, 0, dpr, 0, 0);
    pen.fillStyle = this.paper;
    pen.fillRect(0, 0, width, height);
    if (this.scene && this.view) {
      if (this.last >= 0) this.drawSurface();
      this.drawStill();
      if (this.last >= 0) this.drawPoints();
      this.drawScaleBar();
    }
    this.drawLine();
    const index = Math.floor(this.pos + 1e-6);
    if (index !== this.lastShown || this.wordsKey !== this.wordsNow()) this.words(index);
    this.redraws += 1;
    this.root.dataset.redraws = this.redraws;
  }

  drawSurface() {
    const at = Math.min(this.last, Math.floor(this.pos));
    const t = at < this.last && !this.apart(at + 1) ? this.pos - at : 0;
    const { width, height, x, y, kx, ky } = this.view;
    const pen = this.pen;
    const key = `${at}:${t}`;
    const boxWidth = 2 * UNIT * kx;
    const boxHeight = 2 * UNIT * ky;
    const cellX = boxWidth / (GRID - 1); // the outermost values lie on the box's edge
    const cellY = boxHeight / (GRID - 1);
    const left = x - boxWidth / 2;
    const top = y - boxHeight / 2;
    if (this.contourKey !== key) {
      this.contourKey = key;
      const a = this.frames[at].surface;
      const b = this.frames[Math.min(at + 1, this.last)].surface;
      this.values ??= new Float32Array(GRID * GRID);
      if (t) for (let c = 0; c < a.length; c++) this.values[c] = a[c] + (b[c] - a[c]) * t;
      else for (let c = 0; c < a.length; c++) this.values[c] = a[c];
      this.contour = contours(this.values);
    }
    if (this.shown.surface) {
      const fadeX = Math.min(60, Math.ceil((width - boxWidth) / 2 / cellX) + 1);
      const fadeY = Math.min(60, Math.ceil((height - boxHeight) / 2 / cellY) + 1);
      const wide = GRID + 2 * fadeX;
      const tall = GRID + 2 * fadeY;
      const fieldKey = `${key}:${wide}:${tall}:${this.themeKey}`;
      if (this.fieldKey !== fieldKey) {
        this.fieldKey = fieldKey;
        if (this.field.width !== wide || this.field.height !== tall || !this.image) {
          this.field.width = wide;
          this.field.height = tall;
          this.fieldPen = this.field.getContext("2d");
          this.image = this.fieldPen.createImageData(wide, tall);
        }
        const out = this.image.data;
        for (let row = 0, place = 0; row < tall; row++) {
          const gy = tall - 1 - row - fadeY; // row 0 of the surface is the lowest y
          const overY = gy < 0 ? -gy : gy >= GRID ? gy - GRID + 1 : 0;
          const cy = gy < 0 ? 0 : gy >= GRID ? GRID - 1 : gy;
          for (let column = 0; column < wide; column++, place += 4) {
            const gx = column - fadeX;
            const overX = gx < 0 ? -gx : gx >= GRID ? gx - GRID + 1 : 0;
            const cx = gx < 0 ? 0 : gx >= GRID ? GRID - 1 : gx;
            const value = Math.round(this.values[cy * GRID + cx]) * 3;
            out[place] = this.ramp[value];
            out[place + 1] = this.ramp[value + 1];
            out[place + 2] = this.ramp[value + 2];
            const left = 1 - Math.min(1, Math.hypot(overX / Math.max(fadeX, 8), overY / Math.max(fadeY, 8)));
            out[place + 3] = 255 * left * left * (overX || overY ? 0.9 : 1);
          }
        }
        this.fieldPen.putImageData(this.image, 0, 0);
      }
      pen.imageSmoothingEnabled = true;
      pen.imageSmoothingQuality = "high";
      pen.drawImage(this.field, left - (fadeX + 0.5) * cellX, top - (fadeY + 0.5) * cellY, wide * cellX, tall * cellY);
    }
    const place = (path) => {
      pen.beginPath();
      for (const line of path) trace(pen, line, left, top + boxHeight, cellX, cellY);
    };
    pen.lineJoin = pen.lineCap = "round";
    if (this.ghostFrame >= 0 && this.ghostFrame < at) {
      this.ghost ??= contours(Float32Array.from(this.start().surface));
      place(this.ghost);
      pen.setLineDash([2, 6]);
      pen.strokeStyle = this.paperOf(0.8);
      pen.lineWidth = 4;
      pen.stroke();
      pen.strokeStyle = this.inkOf(0.72);
      pen.lineWidth = 1.8;
      pen.stroke();
      pen.setLineDash([]);
    }
    place(this.contour);
    pen.strokeStyle = this.paperOf(0.7);
    pen.lineWidth = 5;
    pen.stroke();
    pen.strokeStyle = this.ink;
    pen.lineWidth = 2.2;
    pen.stroke();
  }

  drawStill() {
    const { width, height, x, y, kx, ky } = this.view;
    const key = `${width}x${height}@${this.dpr}|${this.themeKey}|${this.shown.majority}`;
    if (this.stillKey !== key) {
      this.stillKey = key;
      this.still.width = Math.round(width * this.dpr);
      this.still.height = Math.round(height * this.dpr);
      const pen = this.still.getContext("2d");
      pen.setTransform(this.dpr, 0, 0, this.dpr, 0, 0);
      const { points, labels, majority } = this.scene;
      const many = labels.length > 600;
      pen.lineWidth = 1;
      const order = [...labels.keys()].sort((p, q) => (labels[q] === majority) - (labels[p] === majority));
      for (const i of order) {
        if (labels[i] === majority && !this.shown.majority) continue;
        const { shape, colour } = this.look(labels[i]);
        const main = labels[i] === majority;
        pen.globalAlpha = main ? 0.85 : 1;
        pen.beginPath();
        outline(pen, shape, x + points[2 * i] * kx, y - points[2 * i + 1] * ky, main ? (many ? 2.4 : 3.1) : 6);
        pen.fillStyle = colour;
        pen.fill();
        pen.lineWidth = main ? 0.8 : 1.4;
        pen.strokeStyle = this.palette.edge;
        pen.stroke();
      }
    }
    this.pen.drawImage(this.still, 0, 0, width, height);
  }

  drawPoints() {
    const places = this.places(Math.min(this.pos, this.last));
    this.drawn = places;
    if (!places) return;
    const pen = this.pen;
    const { x, y, kx, ky, width, height } = this.view;
    const n = places.length / 2;
    const origin = this.origins(places.length);
    const at = Math.floor(this.pos);
    pen.lineCap = pen.lineJoin = "round";
    if (this.shown.threads) {
      pen.beginPath();
      for (let i = 0; i < places.length; i += 2) {
        pen.moveTo(x + origin[i] * kx, y - origin[i + 1] * ky);
        pen.lineTo(places[i], places[i + 1]);
      }
      pen.strokeStyle = this.inkOf(0.5);
      pen.lineWidth = 0.9;
      pen.stroke();
    }
    if (this.shown.trails) {
      const still = !this.moving;
      const reach = Math.max(6, Math.min(still ? 70 : 28, Math.round((still ? 9000 : 3600) / n)));
      const end = this.onTheWay(at);
      const whole = Math.min(reach, end - this.ghostFrame);
      const path = [places];
      for (let back = 0; back <= whole; back++) {
        const older = this.places(end - back);
        if (older?.length === places.length) path.push(older);
      }
      for (const [colour, extra, strength] of [[this.palette.halo, 2.4, 0.7], [this.palette.trail, 0, 1]]) {
        pen.strokeStyle = colour;
        for (let back = path.length - 1; back > 0; back--) {
          const age = (back - 1) / Math.max(1, Math.min(reach, path.length)); // the tail ends thin, however short it is
          pen.globalAlpha = strength * Math.pow(1 - 0.92 * age, 1.4);
          pen.lineWidth = 0.9 + 2.3 * (1 - age) + extra;
          pen.beginPath();
          const a = path[back];
          const b = path[back - 1];
          for (let i = 0; i < a.length; i += 2) {
            pen.moveTo(a[i], a[i + 1]);
            pen.lineTo(b[i], b[i + 1]);
          }
          pen.stroke();
        }
      }
      pen.globalAlpha = 1;
    }
    const chosen = this.chosen();
    if (chosen >= 0) this.drawPath(chosen);
    // heads; those outside the stage wait at its edge with an arrow
    const margin = 10;
    const size = n > 120 ? 3.8 : 5.2;
    const inside = [];
    const outside = [];
    for (let i = 0; i < n; i++) {
      const px = places[2 * i];
      const py = places[2 * i + 1];
      if (px < 0 || py < 0 || px > width || py > height) outside.push(i);
      else inside.push(i);
    }
    const worth = this.shown.worth ? this.worthOf(n) : null;
    const sizeOf = (i) => (worth?.ranks.has(i) ? size * (0.7 + 0.9 * Math.sqrt(Math.abs(worth.values[i]) / worth.top)) : size);
    const helps = (i) => worth?.values[i] < 0;
    for (const full of [false, true]) {
      pen.beginPath();
      for (const i of inside) if (Boolean(helps(i)) === full) outline(pen, "diamond", places[2 * i], places[2 * i + 1], sizeOf(i));
      pen.globalAlpha = full ? 0.9 : 0.6; // open: what lies under one, such as its parent, can be seen
      pen.fillStyle = full ? this.palette.helps : this.palette.fill;
      pen.fill();
      pen.strokeStyle = this.palette.halo;
      pen.lineWidth = n > 120 ? 2.6 : 4;
      pen.stroke();
      pen.globalAlpha = 1;
      pen.strokeStyle = full ? this.palette.helps : this.palette.synthetic;
      pen.lineWidth = n > 120 ? 1.4 : 2;
      pen.stroke();
    }
    if (this.arrowsShown(n)) this.drawArrows(places, inside);
    if (outside.length) {
      pen.fillStyle = this.palette.synthetic;
      pen.strokeStyle = this.palette.fill;
      pen.lineWidth = 1.5;
      for (const i of outside) {
        const px = places[2 * i];
        const py = places[2 * i + 1];
        const cx = Math.min(width - margin, Math.max(margin, px));
        const cy = Math.min(height - margin, Math.max(margin, py));
        const turn = Math.atan2(py - cy, px - cx);
        pen.beginPath();
        for (const [r, angle] of [[9, 0], [8, 2.4], [3, Math.PI], [8, -2.4]]) pen.lineTo(cx + r * Math.cos(turn + angle), cy + r * Math.sin(turn + angle));
        pen.closePath();
        pen.fill();
        pen.stroke();
        places[2 * i] = cx; // where a pointer finds it
        places[2 * i + 1] = cy;
      }
    }
    if (chosen >= 0) {
      pen.beginPath();
      outline(pen, "diamond", places[2 * chosen], places[2 * chosen + 1], size + 3);
      pen.fillStyle = this.palette.synthetic;
      pen.fill();
      pen.strokeStyle = this.palette.fill;
      pen.lineWidth = 2;
      pen.stroke();
    }
    this.placeTip();
  }

  // They belong to the points and the network of the chosen epoch, which is the last frame.
  arrowsShown(n) {
    return this.shown.arrows && Math.floor(this.pos) === this.last && Boolean(this.worthOf(n)?.ways);
  }

  drawArrows(places, inside) {
    const pen = this.pen;
    const { ways, lengths, far } = this.worth;
    pen.beginPath();
    for (const i of inside) {
      const length = LONGEST * Math.sqrt(lengths[i] / far);
      if (!(length >= 3)) continue;
      const [x, y] = [places[2 * i], places[2 * i + 1]];
      const turn = Math.atan2(-ways[2 * i + 1], ways[2 * i]);
      const [tipX, tipY] = [x + length * Math.cos(turn), y + length * Math.sin(turn)];
      const barb = Math.min(7, length / 2);
      pen.moveTo(x, y);
      pen.lineTo(tipX, tipY);
      for (const side of [2.6, -2.6]) {
        pen.moveTo(tipX, tipY);
        pen.lineTo(tipX + barb * Math.cos(turn + side), tipY + barb * Math.sin(turn + side));
      }
    }
    pen.strokeStyle = this.palette.halo;
    pen.lineWidth = 4;
    pen.stroke();
    pen.strokeStyle = this.ink;
    pen.lineWidth = 1.6;
    pen.stroke();
  }

  drawPath(i) {
    const pen = this.pen;
    const { x, y, kx, ky } = this.view;
    pen.beginPath();
    let begun = false;
    for (let at = this.ghostFrame; at <= this.last; at++) {
      const places = this.apart(at) ? null : this.places(at);
      if (!places || 2 * i >= places.length) continue;
      if (begun) pen.lineTo(places[2 * i], places[2 * i + 1]);
      else pen.moveTo(places[2 * i], places[2 * i + 1]);
      begun = true;
    }
    pen.strokeStyle = this.palette.fill;
    pen.lineWidth = 6;
    pen.stroke();
    pen.strokeStyle = this.palette.synthetic;
    pen.lineWidth = 2.6;
    pen.stroke();
    const origin = this.origins(this.drawn.length);
    pen.beginPath();
    pen.arc(x + origin[2 * i] * kx, y - origin[2 * i + 1] * ky, 10, 0, 7);
    pen.strokeStyle = this.palette.fill;
    pen.lineWidth = 4;
    pen.stroke();
    pen.strokeStyle = this.palette.synthetic;
    pen.lineWidth = 2;
    pen.stroke();
  }

  drawScaleBar() {
    const { width, height, scale } = this.view;
    const sd = [0.1, 0.2, 0.5, 1, 2, 5].find((value) => value * scale >= 34) ?? 10;
    const length = sd * scale;
    const pen = this.pen;
    const right = width - 12;
    const bottom = height - 10;
    pen.beginPath();
    pen.moveTo(right - length, bottom - 4);
    pen.lineTo(right - length, bottom);
    pen.lineTo(right, bottom);
    pen.lineTo(right, bottom - 4);
    pen.lineCap = "butt";
    pen.strokeStyle = this.paperOf(0.7);
    pen.lineWidth = 4;
    pen.stroke();
    pen.strokeStyle = this.inkOf(0.8);
    pen.lineWidth = 1.4;
    pen.stroke();
    pen.font = `11px ${this.font}`;
    pen.textAlign = "center";
    pen.textBaseline = "alphabetic";
    pen.lineWidth = 3;
    pen.strokeStyle = this.paperOf(0.8);
    pen.strokeText(`${sd} sd`, right - length / 2, bottom - 6);
    pen.fillStyle = this.inkOf(0.85);
    pen.fillText(`${sd} sd`, right - length / 2, bottom - 6);
  }

  // ---- the timeline ----

  timeX(pos) {
    const [width] = this.lineSize;
    return 8 + (width - 16) * (this.last > 0 ? pos / this.last : 1);
  }

  timePos(x) {
    const [width] = this.lineSize;
    return Math.round(Math.min(1, Math.max(0, (x - 8) / (width - 16))) * Math.max(0, this.last));
  }

  drawLine() {
    if (!this.lineSize) return;
    const pen = this.linePen;
    const [width, height] = this.lineSize;
    pen.setTransform(this.dpr, 0, 0, this.dpr, 0, 0);
    pen.clearRect(0, 0, width, height);
    pen.textBaseline = "alphabetic";
    pen.font = `600 11px ${this.font}`;
    const bandTop = 16;
    if (this.last < 0) {
      pen.fillStyle = this.inkOf(0.06);
      pen.fillRect(0, bandTop, width, height - bandTop);
      pen.fillStyle = this.inkOf(0.6);
      pen.textAlign = "left";
      pen.fillText("validation AP", 8, 11);
      return;
    }
    // phases: a band each, named above
    const bands = [];
    let labelled = 0;
    this.frames.forEach((frame, i) => {
      if (!i || frame.phase !== this.frames[i - 1].phase) bands.push({ phase: frame.phase, from: i });
    });
    bands.forEach((band, i) => {
      const from = i ? this.timeX(band.from - 0.5) : 0;
      const to = i + 1 < bands.length ? this.timeX(bands[i + 1].from - 0.5) : width;
      pen.fillStyle = this.inkOf(i % 2 ? 0.115 : 0.055);
      pen.fillRect(from + (i ? 1 : 0), bandTop, to - from - (i ? 1 : 0), height - bandTop);
      const room = to - from - 8;
      const label = [this.phaseLabel(band.phase), plain(band.phase)].find((text) => pen.measureText(text).width <= room);
      pen.textAlign = "left";
      if (!label) return;
      pen.fillStyle = this.inkOf(0.72);
      pen.fillText(label, from + (i ? 5 : 8), 11);
      labelled = from + pen.measureText(label).width + 16;
    });
    pen.font = `11px ${this.font}`;
    const named = this.low === this.low ? "validation AP" : "validation AP not known yet";
    if (width - labelled > pen.measureText(named).width + 10) {
      pen.textAlign = "right";
      pen.fillStyle = this.inkOf(0.6);
      pen.fillText(named, width - 8, 11);
    }
    // the line: what has been played is strong
    const span = Math.max(this.high - this.low, 0.02);
    const lowest = (this.high + this.low) / 2 - span / 2;
    const y = (score) => height - 7 - ((score - lowest) / span) * (height - bandTop - 15);
    const accent = this.dark ? "#56B4E9" : "#0072B2";
    const head = this.timeX(this.pos);
    const draw = () => {
      pen.beginPath();
      let open = false;
      this.frames.forEach((frame, i) => {
        if (frame.score !== frame.score) open = false;
        else if (open) pen.lineTo(this.timeX(i), y(frame.score));
        else {
          pen.moveTo(this.timeX(i), y(frame.score));
          pen.lineTo(this.timeX(i) + 0.01, y(frame.score));
          open = true;
        }
      });
      pen.stroke();
    };
    pen.lineJoin = pen.lineCap = "round";
    pen.lineWidth = 2;
    pen.strokeStyle = this.inkOf(0.3);
    draw();
    pen.save();
    pen.beginPath();
    pen.rect(0, 0, head, height);
    pen.clip();
    pen.strokeStyle = accent;
    pen.lineWidth = 2.6;
    draw();
    pen.restore();
    if (this.apart(this.last) && this.last) {
      // where on the way the kept epoch was
      const x = this.timeX(this.onTheWay(this.last));
      const score = this.frames[this.onTheWay(this.last)].score;
      pen.beginPath();
      pen.arc(x, score === score ? y(score) : height - 7, 4, 0, 7);
      pen.fillStyle = this.paper;
      pen.fill();
      pen.strokeStyle = this.ink;
      pen.lineWidth = 1.6;
      pen.stroke();
      pen.font = `11px ${this.font}`;
      const wide = pen.measureText("chosen").width;
      pen.fillStyle = this.inkOf(0.8);
      pen.textAlign = "center";
      pen.fillText("chosen", Math.min(width - wide / 2 - 4, Math.max(wide / 2 + 4, x)), score === score && y(score) < height - 22 ? height - 5 : height - 19);
    }
    if (this.pointed !== undefined && this.pointed !== null && !this.dragging) this.marker(this.pointed, y, this.inkOf(0.5), bandTop, height, true);
    this.marker(this.pos, y, accent, bandTop, height, false);
  }

  marker(pos, y, colour, top, height, pointed) {
    const pen = this.linePen;
    const [width] = this.lineSize;
    const at = Math.min(this.last, Math.floor(pos + 1e-6));
    const a = this.frames[at].score;
    const b = this.frames[Math.min(at + 1, this.last)].score;
    const x = this.timeX(pos);
    const score = b === b ? a + (b - a) * (pos - at) : a;
    pen.strokeStyle = colour;
    pen.lineWidth = pointed ? 1 : 1.6;
    pen.beginPath();
    pen.moveTo(x, top - 2);
    pen.lineTo(x, height);
    pen.stroke();
    if (score === score) {
      pen.beginPath();
      pen.arc(x, y(score), pointed ? 3 : 5, 0, 7);
      pen.fillStyle = colour;
      pen.fill();
      pen.strokeStyle = this.paper;
      pen.lineWidth = 1.5;
      pen.stroke();
    }
    const text = (pointed ? `frame ${at + 1}: ` : "") + (a === a ? `AP ${a.toFixed(3)}` : pointed ? "no AP yet" : "");
    if (!text) return;
    pen.font = `600 11px ${this.font}`;
    const wide = pen.measureText(text).width + 10;
    const left = x + 8 + wide > width ? x - 8 - wide : x + 8;
    const above = score === score && y(score) < (top + height) / 2;
    const boxTop = above ? height - 19 : top + 2;
    pen.fillStyle = pointed ? this.ink : this.paper;
    pen.beginPath();
    pen.roundRect(left, boxTop, wide, 16, 5);
    pen.fill();
    if (!pointed) {
      pen.strokeStyle = colour;
      pen.lineWidth = 1;
      pen.stroke();
    }
    pen.fillStyle = pointed ? this.paper : this.ink;
    pen.textAlign = "left";
    pen.textBaseline = "alphabetic";
    pen.fillText(text, left + 5, boxTop + 12);
  }

  phaseLabel(name) {
    return this.labels?.[name] ?? (name === CHOSEN ? "the chosen epoch" : plain(name));
  }

  // ---- words ----

  get status() {
    const status = this.head.status ?? "waiting";
    return !FINAL.has(status) && this.head.alive === false ? "engine silent" : status;
  }

  get playingShown() {
    const lead = this.lead;
    return lead.playing || (lead.live && lead.waiting && lead.last >= 0);
  }

  wordsNow() {
    return `${this.shown.worth}${this.shown.arrows}|${this.factor}|${this.last}|${this.status}|${this.chosen()}|${this.moving}|${this.stageSize}|${this.head.title}`;
  }

  words(index) {
    this.lastShown = index;
    this.wordsKey = this.wordsNow();
    const frame = this.frames[index];
    const data = this.root.dataset;
    data.frame = this.last < 0 ? "" : index;
    const moves = this.moves(index);
    data.drawn = moves.length ? median(moves).toFixed(2) : "";
    data.points = frame ? frame.points.length / 2 : 0;
    data.worth = this.shown.worth && this.worthOf(frame?.points.length / 2) ? "shown" : "";
    data.arrows = frame && this.arrowsShown(frame.points.length / 2) ? "shown" : "";
    const parts = [];
    if (frame) {
      parts.push(this.phaseLabel(frame.phase), `epoch ${frame.epoch}`, `step ${frame.step.toLocaleString("en")}`);
      parts.push(frame.score === frame.score ? `validation AP ${frame.score.toFixed(3)}` : "validation AP not known yet");
    } else if (this.scene) parts.push("no frame yet");
    if (this.head.title) parts.unshift(this.head.title);
    this.ui.caption.textContent = parts.join(" \u00b7 ");
    this.ui.caption.title = this.ui.caption.textContent;
    const moved = frame ? Array.from(frame.moved).sort((p, q) => p - q) : [];
    this.ui.readout.replaceChildren();
    if (moved.length) {
      const bold = (text) => Object.assign(document.createElement("b"), { textContent: text });
      this.ui.readout.append(bold(String(moved.length)), ` synthetic point${moved.length > 1 ? "s" : ""}${moved.length >= MOST_DRAWN ? " drawn" : ""}: median move `, bold(sd(median(moved))), ", largest ", bold(sd(moved[moved.length - 1])));
    }
    // a hint where movement is too small to see
    const largest = moves.length ? moves[moves.length - 1] / this.factor : 0;
    const suggested = FACTORS.find((factor) => factor > this.factor && largest * factor >= 20) ?? 30;
    const settled = index - this.ghostFrame >= 3 || index === this.last;
    const hint = moves.length && moved[moved.length - 1] > 0 && largest * this.factor < SMALL && settled && suggested > this.factor;
    this.ui.hint.hidden = !hint;
    if (hint) {
      this.ui.hint.textContent = `points moved ${sd(median(moved))}: press \u00d7${suggested} to magnify`;
      this.ui.hint.dataset.factor = suggested;
    }
    this.ui.time.setAttribute("aria-valuenow", Math.max(0, index) + 1);
    this.ui.time.setAttribute("aria-valuetext", frame ? `frame ${index + 1} of ${this.frames.length}, ${parts.join(", ")}` : "no frame yet");
    this.tip();
  }

  takeaway() {
    const frame = this.frames[this.last];
    if (!frame) return `${this.status}. ${this.emptyText()}`;
    const moved = Array.from(frame.moved).sort((p, q) => p - q);
    const known = this.frames.map((f) => f.score).filter((score) => score === score);
    const points = moved.length ? `Synthetic points: ${moved.length}, median move ${sd(median(moved))}` : "No synthetic points";
    const scores = known.length ? `validation AP ${known[0].toFixed(2)} to ${known[known.length - 1].toFixed(2)}` : "validation AP not known yet";
    return `${points}; ${scores}.`;
  }

  announce() {
    const text = this.takeaway();
    this.ui.canvas.setAttribute("aria-label", this.pictureText(text));
    if (this.ui.said.textContent !== text && !this.waiting) this.ui.said.textContent = text;
  }

  pictureText(takeaway) {
    if (!this.scene) return takeaway;
    const { classes, labels, axes, exact, share } = this.scene;
    const counts = classes.map((name, number) => `${labels.reduce((sum, label) => sum + (label === number), 0)} of ${name}`);
    const known = this.worth?.ranks.size ?? 0;
    const helpful = known ? [...this.worth.values].filter((value) => value < 0).length : 0;
    const worth = known ? ` To first order ${helpful} of ${known} synthetic points lower the validation loss.` : "";
    const plane = exact ? "" : ` A slice through the training mean; the plane holds ${Math.round(share * 100)}% of the variance.`;
    return `${takeaway} Real points: ${counts.join(", ")}, over the decision surface, ${axes[0]} against ${axes[1]}.${worth}${plane}`;
  }

  emptyText() {
    if (this.head.text) return this.head.text;
    return {
      waiting: "The run waits for its turn; the picture begins with the first frame.",
      training: "Training has begun; the first frame is on its way.",
      finished: "This run left no picture.",
      cancelled: "The run was cancelled before its first frame.",
      failed: "The run failed before its first frame.",
      interrupted: "The run was interrupted before its first frame.",
      "engine silent": "The engine has not been heard of; the picture goes on when it is back.",
    }[this.status];
  }

  state() {
    const { ui, root } = this;
    const status = this.status;
    Object.assign(root.dataset, {
      status, frames: this.frames.length, playing: String(this.playingShown), live: String(this.live && this.waiting), gaps: this.gaps,
      magnify: this.factor, speed: this.speed, dark: String(this.dark),
    });
    root.setAttribute("aria-label", "Player");
    ui.badge.textContent = status;
    ui.badge.title = this.head.text ?? "";
    const none = this.last < 0;
    for (const control of [ui.back, ui.play, ui.next, ui.speed]) control.disabled = none;
    ui.play.setAttribute("aria-label", this.playingShown ? "Pause" : "Play");
    ui.live.hidden = !this.waiting || none || this.live;
    ui.time.setAttribute("aria-valuemin", none ? 0 : 1);
    ui.time.setAttribute("aria-valuemax", this.frames.length);
    ui.time.setAttribute("aria-disabled", String(none));
    ui.magnify.hidden = !this.scene || !this.frames.some((frame) => frame.points.length);
    ui.zoomed.hidden = this.factor === 1 || ui.magnify.hidden;
    ui.zoomed.textContent = `movement \u00d7${this.factor}`;
    for (const button of ui.factors.children) button.setAttribute("aria-pressed", String(Number(button.dataset.factor) === this.factor));
    const scene = this.scene;
    ui.empty.hidden = Boolean(scene);
    if (!scene) {
      const line = (text) => Object.assign(document.createElement("span"), { textContent: text });
      ui.empty.replaceChildren(line(status), line(this.emptyText()));
    }
    ui.axisX.textContent = scene?.axes[0] ?? "";
    ui.axisY.textContent = scene?.axes[1] ?? "";
    ui.slice.hidden = !scene || scene.exact;
    if (scene && !scene.exact) ui.slice.textContent = `a slice through the training mean, not the boundary; the plane holds ${Math.round(scene.share * 100)}% of the variance`;
    ui.stage.setAttribute("aria-label", `${this.head.title ? `${this.head.title}: ` : ""}synthetic points over the decision surface, ${status}`);
    if (!ui.canvas.hasAttribute("aria-label") || none) ui.canvas.setAttribute("aria-label", this.pictureText(this.takeaway()));
    if (this.legendPoints !== !ui.magnify.hidden) this.legend();
    this.wordsKey = "";
  }

  legend() {
    const { ui, scene } = this;
    if (!scene) return;
    const points = this.frames.some((frame) => frame.points.length);
    this.legendPoints = points;
    const held = ui.legend.contains(this.root.getRootNode().activeElement) ? this.root.getRootNode().activeElement.dataset.toggle : "";
    const items = [];
    const present = new Set(scene.labels);
    items.push(this.chip("majority", scene.classes[scene.majority] ?? "majority", glyph("circle", this.palette.majority, this.palette.edge, 4)));
    scene.classes.forEach((name, label) => {
      if (label === scene.majority || !present.has(label)) return;
      const { shape, colour } = this.look(label);
      items.push(this.key(name, glyph(shape, colour, this.palette.edge, 6)));
    });
    const { fill, synthetic, helps } = this.palette;
    if (points && this.worth && this.shown.worth) {
      const more = "to first order, by its presence in a step at the chosen epoch; the larger the mark, the more";
      for (const [text, way, inner, edge] of [["lowers loss", "lowers", helps, helps], ["raises loss", "raises", fill, synthetic]]) {
        const item = this.key(`synthetic: ${text}`, glyph("diamond", inner, edge, 5.5, 1.9));
        item.title = `a synthetic point that ${way} the validation loss, ${more}`;
        items.push(item);
      }
    } else if (points) items.push(this.key("synthetic", glyph("diamond", fill, synthetic, 5.5, 1.9)));
    items.push(this.key("boundary", stroke(this.ink, 2.2, "")));
    const first = this.key("starting boundary", stroke(this.ink, 1.8, "2 4"));
    first.title = points ? "where the boundary was when the synthetic points began" : "where the boundary was in the first frame";
    items.push(first);
    items.push(this.chip("surface", "surface", swatch(this.ramp)));
    if (points) {
      items.push(this.chip("trails", "trails", stroke(this.palette.trail, 3, "")));
      items.push(this.chip("threads", "threads", stroke(this.inkOf(0.7), 1, "")));
      if (this.worth) items.push(this.chip("worth", "contributions", pair(helps, fill, synthetic)));
      if (this.worth?.ways) items.push(this.chip("arrows", "meta-gradient", dart(this.ink)));
    }
    ui.legend.replaceChildren(...items);
    if (held) ui.legend.querySelector(`[data-toggle="${held}"]`)?.focus();
  }

  chip(name, text, picture) {
    const button = this.key(text, picture, "button");
    button.type = "button";
    button.className = "chip";
    button.dataset.toggle = name;
    button.setAttribute("aria-pressed", String(this.shown[name]));
    button.title = { majority: `show or hide ${text}`, surface: "show or hide the surface: the model's probability of the minority", trails: "show or hide the way points came", threads: "show or hide the threads from points to the rows they were copied from", worth: "show or hide, by colour, filling and size, what each synthetic point does to the validation loss at the chosen epoch, to first order: not what training without it would give", arrows: "show or hide, on the last frame, where the meta-gradient of all validation rows would push each point at the chosen epoch; the longest arrow has a fixed length" }[name];
    button.addEventListener("click", () => {
      this.shown[name] = !this.shown[name];
      button.setAttribute("aria-pressed", String(this.shown[name]));
      this.stillKey = "";
      if (name === "worth") this.legend();
      if (name === "arrows" && this.shown.arrows) this.seek(this.last);
      this.wordsKey = "";
      this.invalidate();
    });
    return button;
  }

  key(text, picture, tag = "span") {
    const item = document.createElement(tag);
    item.className = "key";
    item.title = text;
    item.append(picture, Object.assign(document.createElement("span"), { textContent: text }));
    return item;
  }

  factorButtons() {
    for (const factor of FACTORS) {
      const button = document.createElement("button");
      button.type = "button";
      button.dataset.factor = factor;
      button.textContent = `\u00d7${factor}`;
      button.setAttribute("aria-label", `Magnify movement ${factor} times`);
      button.addEventListener("click", () => this.magnifyBy(factor));
      this.ui.factors.append(button);
    }
  }

  magnifyBy(factor) {
    this.factor = factor;
    this.state();
    this.invalidate();
    for (const other of this.peers()) if (other.factor !== factor) other.magnifyBy(factor);
  }

  // ---- pointing at a point ----

  chosen() {
    const n = (this.frames[Math.min(this.last, Math.floor(this.pos))]?.points.length ?? 0) / 2;
    const chosen = this.hovered?.synthetic ?? this.selected;
    return chosen < n ? chosen : -1;
  }

  point(event) {
    const [x, y] = within(this.ui.canvas, event);
    let found = null;
    let best = NEAR;
    for (let i = 0; this.drawn && this.last >= 0 && i < this.drawn.length; i += 2) {
      const distance = Math.hypot(this.drawn[i] - x, this.drawn[i + 1] - y);
      if (distance <= best) [best, found] = [distance, { synthetic: i / 2 }];
    }
    if (!found && this.scene && this.view) {
      const { points, labels, majority } = this.scene;
      best = NEAR - 3;
      for (let i = 0; i < labels.length; i++) {
        if (labels[i] === majority && !this.shown.majority) continue;
        const distance = Math.hypot(this.view.x + points[2 * i] * this.view.kx - x, this.view.y - points[2 * i + 1] * this.view.ky - y);
        if (distance < best) [best, found] = [distance, { real: i }];
      }
    }
    if (found?.synthetic === this.hovered?.synthetic && found?.real === this.hovered?.real) return;
    this.hovered = found;
    this.ui.stage.classList.toggle("pointing", Boolean(found));
    this.tip();
    this.invalidate();
  }

  cycle(by) {
    const n = (this.frames[Math.floor(this.pos)]?.points.length ?? 0) / 2;
    if (!n) return;
    this.hovered = null;
    this.selected = this.selected < 0 ? (by > 0 ? 0 : n - 1) : (this.selected + by + n) % n;
    this.tip();
    this.ui.said.textContent = this.tipLines().join(", ");
    this.invalidate();
  }

  row(i) {
    // The real point this one was copied from: the one that stands where its parent stands.
    if (!this.rows) {
      this.rows = new Map();
      const { points, labels, majority } = this.scene;
      labels.forEach((label, real) => {
        const key = `${points[2 * real]},${points[2 * real + 1]}`;
        if (label !== majority && !this.rows.has(key)) this.rows.set(key, real);
      });
    }
    const { origins } = this.scene;
    return this.rows.get(`${origins[2 * i]},${origins[2 * i + 1]}`);
  }

  probability(i) {
    const at = Math.min(this.last, Math.floor(this.pos + 1e-6));
    const { points, surface } = this.frames[at];
    const gx = ((points[2 * i] / UNIT + 1) / 2) * (GRID - 1);
    const gy = ((points[2 * i + 1] / UNIT + 1) / 2) * (GRID - 1);
    if (gx < 0 || gy < 0 || gx > GRID - 1 || gy > GRID - 1) return null;
    const x = Math.min(GRID - 2, Math.floor(gx));
    const y = Math.min(GRID - 2, Math.floor(gy));
    const value = (dx, dy) => surface[(y + dy) * GRID + x + dx];
    const low = value(0, 0) + (value(1, 0) - value(0, 0)) * (gx - x);
    const high = value(0, 1) + (value(1, 1) - value(0, 1)) * (gx - x);
    return (low + (high - low) * (gy - y)) / 255;
  }

  tipLines() {
    const chosen = this.chosen();
    if (chosen >= 0) {
      const frame = this.frames[Math.min(this.last, Math.floor(this.pos + 1e-6))];
      const lines = [`synthetic point #${chosen + 1}`, `moved ${sd(frame.moved[chosen])}`];
      const worth = this.worthOf(frame.moved.length);
      if (worth?.ranks.has(chosen)) {
        const value = worth.values[chosen];
        lines.push(`at the chosen epoch ${value < 0 ? "lowers" : value > 0 ? "raises" : "leaves"} validation loss: ${signed(value)} per unit of step, rank ${worth.ranks.get(chosen)} of ${worth.ranks.size}`);
      }
      const row = this.row(chosen);
      const name = this.scene.classes[this.scene.originLabels[chosen]];
      if (row !== undefined) lines.push(`copied from real point #${row + 1}${name ? ` (${name})` : ""}`);
      const p = this.probability(chosen);
      if (p === null) lines.push("outside the surface");
      else lines.push(`${this.scene.exact ? "" : "slice here: "}P(minority) ${p.toFixed(2)}`);
      return lines;
    }
    if (this.hovered?.real !== undefined) {
      const label = this.scene.labels[this.hovered.real];
      return [`real point #${this.hovered.real + 1}`, this.scene.classes[label] ?? "", label === this.scene.majority ? "majority" : "minority"];
    }
    return [];
  }

  tip() {
    const lines = this.scene ? this.tipLines() : [];
    this.ui.tip.hidden = !lines.length;
    this.root.dataset.selected = this.chosen() >= 0 ? this.chosen() : "";
    this.ui.tip.replaceChildren(...lines.filter(Boolean).map((text) => Object.assign(document.createElement("div"), { textContent: text })));
    this.placeTip();
  }

  placeTip() {
    const { tip } = this.ui;
    if (tip.hidden || !this.view) return;
    const chosen = this.chosen();
    let x;
    let y;
    if (chosen >= 0 && this.drawn) [x, y] = [this.drawn[2 * chosen], this.drawn[2 * chosen + 1]];
    else if (this.hovered?.real !== undefined) {
      const { points } = this.scene;
      [x, y] = [this.view.x + points[2 * this.hovered.real] * this.view.kx, this.view.y - points[2 * this.hovered.real + 1] * this.view.ky];
    } else return;
    const { width, height } = this.view;
    const [wide, tall] = [tip.offsetWidth, tip.offsetHeight];
    let left = x + 16;
    let top = y - tall / 2;
    if (left + wide > width) left = x - 16 - wide;
    if (left < 4) [left, top] = [x - wide / 2, y > height / 2 ? y - 18 - tall : y + 18]; // no room beside it
    left = Math.min(width - wide - 4, Math.max(4, left));
    top = Math.min(height - tall - 4, Math.max(4, top));
    tip.style.transform = `translate(${Math.round(left)}px, ${Math.round(top)}px)`;
  }

  // ---- events of the page ----

  listen() {
    const { ui } = this;
    this.abort = new AbortController();
    const on = (target, name, action, options = {}) => target.addEventListener(name, action, { signal: this.abort.signal, ...options });
    this.calm = matchMedia("(prefers-reduced-motion: reduce)");
    on(this.calm, "change", () => this.settle());
    on(ui.play, "click", () => this.toggle());
    on(ui.back, "click", () => this.seek(Math.ceil(this.pos) - 1));
    on(ui.next, "click", () => this.seek(Math.floor(this.pos) + 1));
    on(ui.live, "click", () => this.goLive());
    on(ui.speed, "change", () => this.setSpeed(Number(ui.speed.value)));
    on(ui.hint, "click", () => {
      this.magnifyBy(Number(ui.hint.dataset.factor));
      ui.stage.focus();
    });
    on(this.root, "keydown", (event) => this.press(event));
    on(ui.canvas, "pointermove", (event) => this.point(event));
    on(ui.canvas, "pointerdown", (event) => {
      this.point(event);
      this.selected = this.hovered?.synthetic ?? -1;
      this.tip();
      this.invalidate();
    });
    on(ui.canvas, "pointerleave", (event) => {
      if (event.pointerType === "touch") return;
      this.hovered = null;
      ui.stage.classList.remove("pointing");
      this.tip();
      this.invalidate();
    });
    const x = (event) => within(ui.line, event)[0];
    on(ui.time, "pointerdown", (event) => {
      if (this.last < 0 || event.button) return;
      ui.time.setPointerCapture(event.pointerId);
      this.dragging = true;
      this.seek(this.timePos(x(event)));
    });
    on(ui.time, "pointermove", (event) => {
      if (this.last < 0) return;
      if (this.dragging) this.seek(this.timePos(x(event)));
      else {
        this.pointed = this.timePos(x(event));
        this.invalidate();
      }
    });
    for (const name of ["pointerup", "pointercancel", "lostpointercapture"]) {
      on(ui.time, name, () => {
        this.dragging = false;
      });
    }
    on(ui.time, "pointerleave", () => {
      this.pointed = null;
      this.invalidate();
    });
    this.sizes = new ResizeObserver(() => this.resize());
    this.sizes.observe(ui.stage);
    this.sizes.observe(ui.time);
    this.sight = new IntersectionObserver((entries) => {
      this.visible = entries[entries.length - 1].isIntersecting;
      this.invalidate();
    });
    this.sight.observe(this.root);
  }

  press(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const inControl = event.target.closest("button, select");
    const action = {
      " ": () => this.toggle(),
      ArrowLeft: () => this.seek(Math.ceil(this.pos) - 1),
      ArrowRight: () => this.seek(Math.floor(this.pos) + 1),
      Home: () => this.seek(0),
      End: () => this.seek(this.last),
      "+": () => this.faster(1),
      "=": () => this.faster(1),
      "-": () => this.faster(-1),
      "[": () => this.cycle(-1),
      "]": () => this.cycle(1),
      Escape: () => {
        this.selected = -1;
        this.hovered = null;
        this.tip();
        this.invalidate();
      },
    }[event.key];
    if (!action || (this.last < 0 && event.key !== "Escape")) return;
    if (inControl && (event.key === " " || inControl.tagName === "SELECT")) return; // the control's own keys
    event.preventDefault();
    event.stopPropagation();
    action();
  }

  faster(by) {
    const steps = [0.25, 0.5, 1, 2, 4];
    this.setSpeed(steps[Math.min(4, Math.max(0, steps.indexOf(this.speed) + by))]);
  }

  resize() {
    this.dpr = Math.min(this.sharpest, (window.devicePixelRatio || 1) * zoomed(this.root));
    this.font = getComputedStyle(this.root).fontFamily;
    const fit = (canvas, element) => {
      const size = [element.clientWidth, element.clientHeight];
      canvas.width = Math.round(size[0] * this.dpr);
      canvas.height = Math.round(size[1] * this.dpr);
      return size[0] && size[1] ? size : null;
    };
    this.stageSize = fit(this.ui.canvas, this.ui.stage);
    this.lineSize = fit(this.ui.line, this.ui.time);
    this.layout();
    this.draw(); // at once: an emptied canvas must not be painted
  }

  close() {
    this.keep();
    this.closed = true;
    this.abort.abort();
    this.sizes.disconnect();
    this.sight.disconnect();
    cancelAnimationFrame(this.ticking);
    clearTimeout(this.waiter);
    const left = this.peers();
    for (const other of left) if (other.leader === this) other.leader = null;
    this.join("");
    left[0]?.agree();
    this.root.remove();
  }
}

// ---- reading ----

class Reader {
  constructor(bytes) {
    this.bytes = bytes;
    this.place = 0;
  }

  take(count) {
    if (this.place + count > this.bytes.length) throw new RangeError("the chunk ends too early");
    this.place += count;
    return this.bytes.subarray(this.place - count, this.place);
  }

  floats(count) {
    return new Float32Array(this.take(4 * count).slice().buffer);
  }

  // 16-bit values: all low bytes, then all high bytes
  wide(count, Type) {
    const low = this.take(count);
    const high = this.take(count);
    const out = new Type(count);
    for (let i = 0; i < count; i++) out[i] = low[i] | (high[i] << 8);
    return out;
  }
}

// A value with three figures and a true minus.
function signed(value) {
  return `${value > 0 ? "+" : ""}${Number(value.toPrecision(3))}`.replaceAll("-", "\u2212");
}

async function inflate(bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

// ---- shapes and colours ----

// Marching squares at one half: lines of [x, y, x, y, ...] in grid places, closed ones end where they began.
function contours(values) {
  const links = new Int32Array(2 * GRID * GRID * 2).fill(-1); // an edge of the grid -> the one or two edges its line goes on to
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
      const bottom = 2 * at;
      const left = 2 * at + 1;
      const top = 2 * (at + GRID);
      const right = 2 * (at + 1) + 1;
      const crossed = [];
      if (a !== b) crossed.push(bottom);
      if (b !== c) crossed.push(right);
      if (c !== d) crossed.push(top);
      if (d !== a) crossed.push(left);
      for (const edge of crossed) edges.push(edge);
      if (crossed.length === 2) join(crossed[0], crossed[1]);
      else {
        const middle = (values[at] + values[at + 1] + values[at + GRID] + values[at + GRID + 1]) / 4 > HALF;
        if (middle === a) { join(bottom, right); join(top, left); } else { join(bottom, left); join(top, right); }
      }
    }
  }
  const spot = (edge, out) => {
    const at = edge >> 1;
    const x = at % GRID;
    const y = (at - x) / GRID;
    const other = edge & 1 ? at + GRID : at + 1;
    const t = (HALF - values[at]) / (values[other] - values[at]);
    out.push(edge & 1 ? x : x + t, edge & 1 ? y + t : y);
  };
  const seen = new Uint8Array(2 * GRID * GRID);
  const lines = [];
  const follow = (start) => {
    const line = [];
    let edge = start;
    while (edge >= 0 && !seen[edge]) {
      seen[edge] = 1;
      spot(edge, line);
      const one = links[2 * edge];
      const two = links[2 * edge + 1];
      edge = one >= 0 && !seen[one] ? one : two >= 0 && !seen[two] ? two : links[2 * edge] === start || two === start ? start : -1;
      if (edge === start) {
        line.push(line[0], line[1]);
        break;
      }
    }
    if (line.length >= 4) lines.push(calm(line));
  };
  for (const edge of edges) if (!seen[edge] && links[2 * edge + 1] < 0) follow(edge); // open lines from their ends
  for (const edge of edges) if (!seen[edge]) follow(edge);
  return lines;
}

// The surface comes in 256 steps, which make a line through flat ground jitter: each inner place moves half way to the middle
// of its neighbours, twice; that is less than half a cell.
function calm(line) {
  for (let pass = 0; pass < 2; pass++) {
    let [x, y] = line;
    for (let i = 2; i < line.length - 2; i += 2) {
      const [nowX, nowY] = [line[i], line[i + 1]];
      line[i] = (x + 2 * nowX + line[i + 2]) / 4;
      line[i + 1] = (y + 2 * nowY + line[i + 3]) / 4;
      [x, y] = [nowX, nowY];
    }
  }
  return line;
}

// A line through the middles of its pieces, rounded at its corners.
function trace(pen, line, left, bottom, cellX, cellY) {
  const x = (i) => left + line[2 * i] * cellX;
  const y = (i) => bottom - line[2 * i + 1] * cellY;
  const count = line.length / 2;
  pen.moveTo(x(0), y(0));
  for (let i = 1; i < count - 1; i++) pen.quadraticCurveTo(x(i), y(i), (x(i) + x(i + 1)) / 2, (y(i) + y(i + 1)) / 2);
  pen.lineTo(x(count - 1), y(count - 1));
}

const CORNERS = {
  triangle: [[0, -1.1], [1, 0.75], [-1, 0.75]],
  wedge: [[0, 1.1], [1, -0.75], [-1, -0.75]],
  square: [[-0.8, -0.8], [0.8, -0.8], [0.8, 0.8], [-0.8, 0.8]],
  pentagon: [[0, -1], [0.95, -0.3], [0.6, 0.85], [-0.6, 0.85], [-0.95, -0.3]],
  cross: [[-0.35, -1], [0.35, -1], [0.35, -0.35], [1, -0.35], [1, 0.35], [0.35, 0.35], [0.35, 1], [-0.35, 1], [-0.35, 0.35], [-1, 0.35], [-1, -0.35], [-0.35, -0.35]],
  diamond: [[0, -1.1], [1.1, 0], [0, 1.1], [-1.1, 0]],
};

function outline(pen, shape, x, y, size) {
  if (shape === "circle") {
    pen.moveTo(x + size, y);
    pen.arc(x, y, size, 0, 2 * Math.PI);
    return;
  }
  CORNERS[shape].forEach(([dx, dy], i) => (i ? pen.lineTo(x + dx * size, y + dy * size) : pen.moveTo(x + dx * size, y + dy * size)));
  pen.closePath();
}

function svg(name, values) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(values)) element.setAttribute(key, value);
  return element;
}

function picture(...children) {
  const out = svg("svg", { viewBox: "-10 -8 20 16", "aria-hidden": "true" });
  out.append(...children);
  return out;
}

function glyph(shape, fill, edge, size, width = 1.2) {
  const style = { fill, stroke: edge, "stroke-width": width };
  if (shape === "circle") return picture(svg("circle", { r: size, ...style }));
  return picture(svg("polygon", { points: CORNERS[shape].map(([x, y]) => `${x * size},${y * size}`).join(" "), ...style }));
}

// A filled mark beside an open one.
function pair(full, inner, edge) {
  const mark = (x, fill, stroke, size) => svg("polygon", { points: CORNERS.diamond.map(([dx, dy]) => `${x + dx * size},${dy * size}`).join(" "), fill, stroke, "stroke-width": 1.7 });
  return picture(mark(-5, full, full, 4.5), mark(6, inner, edge, 3));
}

function dart(colour) {
  return picture(svg("path", { d: "M-8 4L7 -4M7 -4L1 -4.4M7 -4L3.6 1.2", fill: "none", stroke: colour, "stroke-width": 1.8, "stroke-linecap": "round" }));
}

function stroke(colour, width, dash) {
  return picture(svg("path", { d: "M-9 4C-3 4 3 -4 9 -4", fill: "none", stroke: colour, "stroke-width": width, "stroke-dasharray": dash, "stroke-linecap": "round" }));
}

function swatch(ramp) {
  const at = (value) => `rgb(${ramp.slice(3 * value, 3 * value + 3).join(",")})`;
  return picture(...[0, 70, 127, 185, 255].map((value, i) => svg("rect", { x: -10 + 4 * i, y: -6, width: 4.2, height: 12, fill: at(value) })));
}

function colour(text) {
  const hex = /^#([0-9a-f]{3,8})$/i.exec((text ?? "").trim());
  if (hex) {
    const digits = hex[1].length < 6 ? [...hex[1]].map((d) => d + d).join("") : hex[1];
    return [0, 2, 4].map((i) => parseInt(digits.slice(i, i + 2), 16));
  }
  const parts = /^rgba?\(([^)]+)\)/i.exec((text ?? "").trim());
  return parts ? parts[1].split(/[ ,/]+/).slice(0, 3).map(Number) : null;
}

// how many times as large as its own pixels the page shows an element
function zoomed(element) {
  return element.getBoundingClientRect().width / element.offsetWidth || 1;
}

// where an event is in an element's own pixels
function within(element, event) {
  const box = element.getBoundingClientRect();
  const by = box.width / element.clientWidth || 1;
  return [(event.clientX - box.left) / by, (event.clientY - box.top) / by];
}

function identity({ run, replicate, take }) {
  return JSON.stringify([run, replicate, take]);
}

function plain(name) {
  return name.replace(/[_-]/g, " ");
}

function css(rgb) {
  return `rgb(${rgb.join(",")})`;
}

function median(sorted) {
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

// thousandths of a sd -> words
function sd(thousandths) {
  if (thousandths >= 65535) return "more than 65 sd";
  const value = thousandths / 1000;
  return `${value === 0 ? "0" : value < 0.1 ? value.toFixed(3) : value.toFixed(2)} sd`;
}
