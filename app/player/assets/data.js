// The film of one replicate: scene, frames and contributions, read from the chunks that app/player/__init__.py writes.
// A chunk holds only what is new: what has arrived stays here.

import { measureMove, spreadTime } from "./durations.js";
import { GRID, SEEN, UNIT } from "./units.js";

export const CHOSEN = "chosen"; // phase of the engine's last frame, the epoch that was kept: no point moves into it
export const NEAREST = "nearest"; // kind of rows that were made of a drawn code: their seed is the nearest row of their class
const ENDED = new Set(["finished", "cancelled", "failed", "interrupted"]); // states in which no frame follows
const MAX_REQUESTS = 6; // for one gap
const NO_MOVE = { median: 0, far: 0, surface: 0 };

let filmCount = 0;

export class Film {
  // reset(head): another film begins; showChunk(change): a chunk is in.
  constructor(callbacks) {
    this.callbacks = callbacks;
    this.request = null; // request(from): asks the page for the frames from number `from` on
    this.queue = Promise.resolve(); // chunks are read one after the other
    this.isClosed = false;
    this.number = 0; // another one whenever another film begins
    this.head = {}; // of the newest chunk
    this.scene = null;
    this.sceneCount = 0; // scenes of the run so far
    this.frames = [];
    this.moves = []; // for each frame how far it is from the one before, see `measureMove`
    this.seconds = []; // for each frame how long it takes, see `spreadTime`
    this.starts = []; // for each frame when it is reached, in seconds
    this.labels = {}; // phase -> text
    this.contributions = null;
    this.startIndex = -1; // the frame in which synthetic points begin: the first one until they do, -1 without frames
    this.lowest = NaN; // validation score
    this.highest = NaN;
    this.requestedFrom = -1; // the number of the first missing frame, -1 without a gap
    this.retryTimer = 0;
    this.gaps = 0; // requests sent
  }

  reset(head) {
    this.number = ++filmCount;
    this.head = head;
    this.scene = null;
    this.sceneCount = 0;
    this.frames = [];
    this.moves = [];
    this.seconds = [];
    this.starts = [];
    this.labels = {};
    this.contributions = null;
    this.startIndex = -1;
    this.lowest = this.highest = NaN;
    this.endRequest();
  }

  // All that a player needs to show the film again without its chunks.
  snapshot() {
    const { scene, sceneCount, frames, moves, seconds, starts, labels, contributions, startIndex, lowest, highest } = this;
    return { scene, sceneCount, frames, moves, seconds, starts, labels, contributions, startIndex, lowest, highest };
  }

  restore(snapshot) {
    Object.assign(this, snapshot);
  }

  close() {
    this.isClosed = true;
    clearTimeout(this.retryTimer);
  }

  get last() { return this.frames.length - 1; }
  get hasEnded() { return ENDED.has(this.head.status); }
  get hasPoints() { return this.frames.some((frame) => frame.points.length); }
  get duration() { return this.starts.at(-1) ?? 0; }
  get hasMoves() { return this.moves.some(({ far }) => far > 0); }
  get startFrame() { return this.frames[this.startIndex]; }

  get status() {
    return !this.hasEnded && this.head.alive === false ? "engine silent" : this.head.status ?? "waiting";
  }

  // ---- chunks ----

  receive(data) {
    if (!data || data.byteLength < 4) return;
    const bytes = data.slice(); // a copy: Streamlit keeps its buffer, and the copy is aligned
    this.queue = this.queue.then(() => this.add(bytes)).catch((error) => {
      if (!this.isClosed) console.error("player: a chunk could not be read", error);
    });
  }

  async add(bytes) {
    const length = new DataView(bytes.buffer).getUint32(0, true);
    const head = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length)));
    const packed = bytes.subarray(4 + length);
    const reader = new Reader(packed.length ? await inflate(packed) : packed);
    if (this.isClosed) return;
    if (identify(head) !== identify(this.head)) this.callbacks.reset(head);
    const count = this.frames.length;
    const hadEnded = this.hasEnded;
    const known = this.contributions;
    this.head = head;
    if (head.scene) this.setScene(head.scene, head.scenes, reader);
    if (head.first > count || head.scenes > this.sceneCount) this.requestFrames(count);
    else {
      this.append(readFrames(head, reader).slice(count - head.first), head.labels);
      if (head.contributions) this.setContributions(head.contributions, reader);
    }
    this.callbacks.showChunk({
      hasScene: Boolean(head.scene),
      hasContributions: this.contributions !== known,
      isFirst: !count && this.frames.length > 0,
      isEnd: count > 0 && !hadEnded && this.hasEnded,
    });
  }

  // Asks once per gap, then again after 2, 4, ... s while no answer comes.
  requestFrames(from) {
    if (this.requestedFrom === from) return;
    this.endRequest();
    this.requestedFrom = from;
    let requests = 0;
    const send = () => {
      this.gaps += 1;
      this.request(from);
      if (++requests < MAX_REQUESTS) this.retryTimer = setTimeout(send, 1000 * 2 ** requests);
    };
    send();
  }

  endRequest() {
    this.requestedFrom = -1;
    clearTimeout(this.retryTimer);
  }

  setScene(scene, count, reader) {
    scene.points = reader.take16(2 * scene.real, Int16Array);
    scene.labels = reader.take(scene.real).slice();
    scene.origins = reader.take16(2 * scene.parents, Int16Array);
    scene.originLabels = reader.take(scene.parents).slice();
    scene.faintPoints = reader.take16(2 * (scene.faint ?? 0), Int16Array); // validation rows that the data mark
    scene.isMade = Boolean(scene.made); // whether points are new rows and not copies
    scene.making = takeMaking(scene.made, reader); // how points were made; null where it is not known
    scene.rows = new Map(); // "x,y" of a minority point -> its number
    scene.labels.forEach((label, row) => {
      const key = `${scene.points[2 * row]},${scene.points[2 * row + 1]}`;
      if (label !== scene.majority && !scene.rows.has(key)) scene.rows.set(key, row);
    });
    this.scene = scene;
    this.sceneCount = count;
  }

  append(frames, labels) {
    this.labels = { ...this.labels, ...labels };
    for (const frame of frames) {
      this.moves.push(frame.phase === CHOSEN ? NO_MOVE : measureMove(frame, this.frames.at(-1), this.scene));
      this.frames.push(frame);
      if (this.startIndex < 0 || (frame.points.length && !this.startFrame.points.length)) this.startIndex = this.last;
      if (Number.isNaN(frame.score)) continue;
      this.lowest = this.lowest <= frame.score ? this.lowest : frame.score;
      this.highest = this.highest >= frame.score ? this.highest : frame.score;
    }
    if (frames.length) this.spreadTime();
    this.endRequest();
  }

  spreadTime() {
    const phases = this.frames.map(({ phase }) => phase);
    this.seconds = spreadTime(this.moves, phases, this.hasMoves);
    let now = 0;
    this.starts = this.seconds.map((seconds) => (now += seconds));
  }

  // What each point does to the validation loss at the chosen epoch, and where the meta-gradient would push it. Films of
  // earlier versions have neither; a value that is not finite is not shown.
  setContributions({ n, arrows }, reader) {
    const values = reader.takeFloats(n);
    const downhill = arrows ? reader.takeFloats(2 * n) : null;
    if (this.contributions) return; // every chunk of a finished run repeats them
    const order = [...values.keys()].filter((i) => Number.isFinite(values[i])).sort((p, q) => values[p] - values[q]);
    if (!order.length) return;
    const ranks = new Map(order.map((i, rank) => [i, rank + 1]));
    const largest = Math.max(...order.map((i) => Math.abs(values[i])), 1e-30);
    const lengths = downhill ? [...values.keys()].map((i) => Math.hypot(downhill[2 * i], downhill[2 * i + 1])) : [];
    const sorted = lengths.filter((length) => length > 0 && Number.isFinite(length)).sort((p, q) => p - q);
    const strong = sorted[Math.floor(0.95 * (sorted.length - 1))]; // the 95th percentile
    this.contributions = { values, downhill: strong ? downhill : null, lengths, strong, ranks, largest };
  }

  // ---- time ----

  // Seconds from the film's start to a position in frames, and back.
  timeAt(position) {
    const at = Math.min(this.last, Math.floor(position));
    if (at < 0) return 0;
    return this.starts[at] + (position - at) * (this.seconds[at + 1] ?? 0);
  }

  positionAt(time) {
    let at = 0;
    while (at < this.last && this.starts[at + 1] <= time) at++;
    if (at >= this.last) return Math.max(0, this.last);
    return at + (time - this.starts[at]) / (this.seconds[at + 1] || 1);
  }

  // ---- questions ----

  // The contributions where they are known and of n points, else null.
  contributionsOf(n) {
    return this.contributions?.values.length === n ? this.contributions : null;
  }

  // How many points of a frame are unsafe; null where it is not known.
  countUnsafe(index) {
    const unsafe = this.frames[index]?.unsafe;
    return unsafe ? unsafe.reduce((sum, value) => sum + value, 0) : null;
  }

  // How many of the rows drawn the member of a frame saw; null where it is of none.
  countSeen(index) {
    const seen = this.frames[index]?.seen;
    return seen ? seen.reduce((sum, value) => sum + (value >= SEEN ? 1 : 0), 0) : null;
  }

  get knowsUnsafe() { return this.frames.some(({ unsafe }) => unsafe); }

  isChosen(index) {
    return this.frames[index]?.phase === CHOSEN;
  }

  // For the chosen frame: the frame of the same epoch among those before it. Else the index itself.
  trainedIndex(index) {
    if (!this.isChosen(index)) return index;
    let at = index - 1;
    const phase = this.frames[at]?.phase;
    while (at > 0 && this.frames[at].epoch > this.frames[index].epoch && this.frames[at - 1].phase === phase) at--;
    return Math.max(0, at);
  }

  // Where points are magnified from: their parents, or where they were first seen if the scene does not know the parents.
  originsOf(length) {
    return this.scene.origins.length === length ? this.scene.origins : this.startFrame.points;
  }

  // The number of the real point that synthetic point i was made from: the one that stands where its seed or its parent stands.
  findSourceRow(i) {
    const { rows, making } = this.scene;
    const origins = making?.seeds.length ? making.seeds : this.scene.origins;
    return rows.get(`${origins[2 * i]},${origins[2 * i + 1]}`);
  }

  // P(minority) at synthetic point i of a frame, bilinear; null outside the surface.
  probabilityAt(index, i) {
    const { points, surface } = this.frames[index];
    const gridX = ((points[2 * i] / UNIT + 1) / 2) * (GRID - 1);
    const gridY = ((points[2 * i + 1] / UNIT + 1) / 2) * (GRID - 1);
    if (gridX < 0 || gridY < 0 || gridX > GRID - 1 || gridY > GRID - 1) return null;
    const x = Math.min(GRID - 2, Math.floor(gridX));
    const y = Math.min(GRID - 2, Math.floor(gridY));
    const value = (dx, dy) => surface[(y + dy) * GRID + x + dx];
    const low = value(0, 0) + (value(1, 0) - value(0, 0)) * (gridX - x);
    const high = value(0, 1) + (value(1, 1) - value(0, 1)) * (gridX - x);
    return (low + (high - low) * (gridY - y)) / 255;
  }
}

// What names a film: equal for all its chunks.
export function identify({ run, replicate, take }) {
  return JSON.stringify([run, replicate, take]);
}

// kind, norm and steps as the head says; seeds [2n], walks [2n * steps], spheres [4s], moves [4q] in units of the scene.
function takeMaking(made, reader) {
  if (!made) return null;
  const { kind, norm, steps, sources = 0, each = 0 } = made;
  const take = (count) => reader.take16(count, Int16Array);
  const making = {
    kind, norm, steps, each, seeds: take(2 * made.seeds), walks: take(2 * made.walks * steps), spheres: take(4 * made.spheres),
    moves: take(4 * made.moves), sources: take(2 * sources * each), weights: reader.take(sources * each).slice(),
  };
  return making.seeds.length + making.walks.length + making.spheres.length + making.moves.length ? making : null;
}

async function inflate(bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

// The frames of a chunk. Each holds differences to the one before it, the first surface differences along its rows.
function readFrames(head, reader) {
  const frames = head.n.map((_, i) => {
    const surface = reader.take(GRID * GRID).slice();
    if (!i) for (let c = 1; c < surface.length; c++) surface[c] += surface[c - 1];
    const phase = head.phases[head.phase[i]];
    return { surface, phase, epoch: head.epoch[i], step: head.step[i], score: head.score[i] ?? NaN };
  });
  for (let i = 1; i < frames.length; i++) addTo(frames[i].surface, frames[i - 1].surface);
  for (const [name, width, Type] of [["points", 2, Int16Array], ["moved", 1, Uint16Array]]) {
    frames.forEach((frame, i) => {
      frame[name] = reader.take16(width * head.n[i], Type);
      if (i && head.n[i] === head.n[i - 1]) addTo(frame[name], frames[i - 1][name]);
    });
  }
  frames.forEach((frame, i) => { // a byte a point; null where it is not known, as in recordings of earlier versions
    frame.unsafe = head.unsafe?.[i] ? reader.take(head.n[i]).slice() : null;
  });
  frames.forEach((frame, i) => { // a byte a row: which rows the member saw that this frame adds, and how hard each was; null elsewhere
    frame.seen = head.seen?.[i] ? reader.take(head.seen[i]).slice() : null;
  });
  return frames;
}

function addTo(values, others) {
  for (let c = 0; c < values.length; c++) values[c] += others[c];
}

class Reader {
  constructor(bytes) {
    this.bytes = bytes;
    this.offset = 0;
  }

  take(count) {
    if (this.offset + count > this.bytes.length) throw new RangeError("the chunk ends too early");
    this.offset += count;
    return this.bytes.subarray(this.offset - count, this.offset);
  }

  takeFloats(count) {
    return new Float32Array(this.take(4 * count).slice().buffer);
  }

  // 16-bit values: all low bytes, then all high bytes
  take16(count, Type) {
    const low = this.take(count);
    const high = this.take(count);
    const out = new Type(count);
    for (let i = 0; i < count; i++) out[i] = low[i] | (high[i] << 8);
    return out;
  }
}
