// The clock of one player: its position in the film, in frames. Frames take as long as the film says. Clocks of one group share a scrubber: the one that a person
// used last leads, and the others follow by optimiser step.

const LOOP_PAUSE_MS = 1600; // at the end, before the film begins again
const STILL_MS = 350; // per frame under reduced motion, at speed 1
const SPEEDS = [0.25, 0.5, 1, 2, 4];

const groups = new Map(); // name -> Set of clocks

export class Clock {
  // refresh(): the state has changed; invalidate(): the picture has; announce(): a new summary is due;
  // setFactor(factor): the group magnifies movement by `factor`.
  constructor(root, film, callbacks) {
    this.root = root;
    this.film = film;
    this.callbacks = callbacks;
    this.reducedMotion = matchMedia("(prefers-reduced-motion: reduce)");
    this.position = 0;
    this.isPlaying = false;
    this.isLive = true; // stays at the newest frame
    this.waitedMs = 0; // at a frame that is held
    this.speed = 1;
    this.group = null;
    this.leader = null; // the clock that this one follows
    this.isLed = false; // its group has ended: the leader's scrubber is the only one left
  }

  reset() {
    this.position = 0;
    this.isPlaying = false;
    this.isLive = !this.film.hasEnded;
    this.waitedMs = 0;
    this.leader = null;
  }

  snapshot() {
    const { position, isPlaying, isLive, speed } = this;
    return { position, isPlaying, isLive, speed };
  }

  restore(snapshot) {
    Object.assign(this, snapshot);
  }

  // The number of the frame shown, -1 without frames. A follower may be a rounding error short of a frame.
  get index() { return Math.min(this.film.last, Math.floor(this.position + 1e-6)); }
  get isMoving() {
    const { last } = this.film;
    return !this.leader && last >= 0 && (this.isLive ? this.position < last : this.isPlaying);
  }

  // Whether the play button shows a pause.
  get showsPlaying() {
    const { isPlaying, isLive, film } = this.leader ?? this;
    return isPlaying || (isLive && !film.hasEnded && film.last >= 0);
  }

  // ---- time ----

  // The first frames are there: a film that has ended plays from its start, a run that trains is shown as it is now.
  begin() {
    const { film } = this;
    if (film.hasEnded) {
      this.isLive = false;
      this.isPlaying = film.head.autoplay && film.status === "finished" && !this.reducedMotion.matches && film.last > 0;
    }
    if (!this.isPlaying) this.position = film.last;
    this.callbacks.announce();
  }

  advance(elapsedMs) {
    if (this.leader || this.film.last < 0) return;
    if (this.isLive) this.followRun(elapsedMs);
    else if (this.isPlaying) this.play(elapsedMs);
    this.moveFollowers();
  }

  followRun(elapsedMs) {
    const { film } = this;
    const behind = film.last - this.position;
    if (behind > 40) this.position = film.last - 12; // a page that was hidden
    if (this.reducedMotion.matches || behind < 0.004) this.position = film.last;
    else this.position = Math.min(film.last, this.position + Math.max(behind / 600, 0.0012) * elapsedMs);
    if (this.position === film.last && film.hasEnded && film.requestedFrom < 0) {
      this.isLive = false;
      this.callbacks.refresh();
      this.callbacks.announce();
    }
  }

  play(elapsedMs) {
    const { last, hasEnded } = this.film;
    if (this.position >= last) {
      this.waitedMs += elapsedMs;
      if (!hasEnded) this.goLive();
      else if (this.waitedMs > LOOP_PAUSE_MS) this.position = this.waitedMs = 0;
    } else if (this.reducedMotion.matches) {
      this.waitedMs += elapsedMs * this.speed;
      if (this.waitedMs > STILL_MS) {
        this.waitedMs = 0;
        this.position = Math.min(last, Math.floor(this.position) + 1);
      }
    } else {
      this.waitedMs = 0;
      this.position = this.film.positionAt(this.film.timeAt(this.position) + (this.speed * elapsedMs) / 1000);
      if (this.position === last) this.callbacks.announce();
    }
  }

  toggle() {
    if (this.isLed) return this.leader.toggle();
    if (this.leader) {
      const wasPlaying = this.leader.isPlaying || this.leader.isLive;
      this.takeLead();
      this.isPlaying = !wasPlaying;
    } else if (this.isLive && !this.film.hasEnded) {
      this.isLive = this.isPlaying = false;
    } else {
      this.isPlaying = !this.isPlaying;
      if (this.isPlaying && this.position >= this.film.last && this.film.hasEnded) this.position = 0;
    }
    this.waitedMs = 0;
    if (!this.isPlaying && !this.isLive) this.position = Math.round(this.position);
    this.settle();
    if (!this.isPlaying) this.callbacks.announce();
  }

  seek(position) {
    const { last } = this.film;
    if (last < 0) return;
    if (this.isLed) {
      const { leader } = this;
      return leader.seek(position >= last ? leader.film.last : leader.positionOf(this.stepAt(Math.max(0, position))));
    }
    this.takeLead();
    this.isLive = this.isPlaying = false;
    this.waitedMs = 0;
    this.position = Math.min(last, Math.max(0, position));
    this.settle();
  }

  stepBack() {
    this.seek(Math.ceil(this.position) - 1);
  }

  stepForward() {
    this.seek(Math.floor(this.position) + 1);
  }

  goLive() {
    this.takeLead();
    this.isLive = true;
    this.isPlaying = false;
    this.position = this.film.last;
    this.settle();
  }

  setSpeed(speed) {
    for (const clock of this.listGroup()) {
      clock.speed = speed;
      clock.callbacks.refresh();
    }
  }

  changeSpeed(by) {
    this.setSpeed(SPEEDS[Math.min(SPEEDS.length - 1, Math.max(0, SPEEDS.indexOf(this.speed) + by))]);
  }

  setFactor(factor) {
    for (const clock of this.listGroup()) clock.callbacks.setFactor(factor);
  }

  settle() {
    this.callbacks.refresh();
    this.moveFollowers();
    this.callbacks.invalidate();
  }

  // ---- optimiser steps ----

  get lastStep() { return this.film.frames[this.film.last].step; }

  stepAt(position) {
    const { frames } = this.film;
    const at = Math.floor(position);
    const a = frames[at].step;
    return a + ((frames[at + 1]?.step ?? a) - a) * (position - at);
  }

  positionOf(step) {
    const { frames, last } = this.film;
    let at = 0;
    while (at < last && frames[at + 1].step <= step) at++;
    if (at >= last) return Math.max(0, last);
    const a = frames[at].step;
    const b = frames[at + 1].step;
    return at + Math.min(1, Math.max(0, (step - a) / (b - a || 1)));
  }

  // ---- groups ----

  joinGroup(name) {
    if (this.group === name) return;
    groups.get(this.group)?.delete(this);
    this.group = name;
    this.isLed = false;
    this.root.dataset.led = "false";
    if (!name) return;
    if (!groups.has(name)) groups.set(name, new Set());
    groups.get(name).add(this);
  }

  leaveGroup() {
    const others = this.listPeers();
    for (const other of others) if (other.leader === this) other.leader = null;
    this.joinGroup("");
    others[0]?.electLeader();
  }

  listGroup() { return this.group ? [...groups.get(this.group)] : [this]; }
  listPeers() { return this.listGroup().filter((other) => other !== this); }

  takeLead() {
    this.leader = null;
    for (const other of this.listPeers()) {
      other.leader = this;
      other.isLive = other.isPlaying = false;
      other.callbacks.refresh();
    }
  }

  // Once all films of a group have ended, the scrubber of the longest run stays, so that every frame of each can be reached.
  electLeader() {
    const all = this.listGroup();
    const isReady = all.length > 1 && all.every(({ film }) => film.last >= 0 && film.hasEnded);
    const leader = isReady ? all.reduce((best, one) => (one.isBetterLeader(best) ? one : best)) : null;
    for (const one of all) {
      const isLed = isReady && one !== leader;
      if (one.isLed === isLed) continue;
      one.isLed = isLed;
      one.leader = isLed ? leader : null;
      if (isLed) one.isLive = one.isPlaying = false;
      one.root.dataset.led = String(isLed);
      one.callbacks.refresh();
    }
    if (!isReady) return;
    for (const one of all) if (one !== leader) one.leader = leader; // another one may have led until now
    leader.leader = null;
    leader.settle();
  }

  isBetterLeader(other) {
    return this.lastStep > other.lastStep || (this.lastStep === other.lastStep && this.isBefore(other));
  }

  // Whether this player stands before the other in reading order.
  isBefore(other) {
    const [mine, theirs] = [this.root.getBoundingClientRect(), other.root.getBoundingClientRect()];
    return mine.top < theirs.top || (mine.top === theirs.top && mine.left < theirs.left);
  }

  moveFollowers() {
    if (this.leader || this.film.last < 0) return;
    const followers = this.listPeers().filter((other) => other.leader === this);
    if (!followers.length) return;
    const step = this.stepAt(this.position);
    for (const other of followers) {
      const isAtEnd = this.position >= this.film.last && other.isLed;
      const position = Math.max(other.positionOf(step), isAtEnd ? other.film.last : 0);
      if (position !== other.position) {
        other.position = position;
        other.callbacks.invalidate();
      }
      other.root.dataset.playing = String(this.isPlaying);
    }
  }
}
