// The redraws of one component: once for however many reasons, again while something moves, none while it is out of sight.

const SLOW_MS = 45;
const SLOW_REDRAWS = 12;
const LONGEST_MS = 100; // that one redraw lets pass

export class Loop {
  // draw(elapsedMs): draws; isMoving(): whether it is to be drawn again; blur(): called where redraws are too slow.
  constructor(root, { draw, isMoving, blur }) {
    this.draw = draw;
    this.isMoving = isMoving;
    this.blur = blur;
    this.isClosed = false;
    this.isVisible = true;
    this.isDue = false;
    this.slow = 0; // slow redraws in a row, roughly
    this.last = null; // ms, while something moves
    this.isStill = matchMedia("(prefers-reduced-motion: reduce)");
    this.sight = new IntersectionObserver((entries) => {
      this.isVisible = entries.at(-1).isIntersecting;
      this.invalidate();
    });
    this.sight.observe(root);
  }

  invalidate() {
    if (this.isClosed || this.isDue || !this.isVisible) return;
    this.isDue = true;
    // A person who asked for no motion gets no animation frame: the picture is drawn when it has changed.
    if (this.isStill.matches && !this.isMoving()) setTimeout(() => this.redraw(performance.now()));
    else requestAnimationFrame((now) => this.redraw(now));
  }

  redraw(now) {
    this.isDue = false;
    if (this.isClosed) return;
    const elapsedMs = Math.max(0, now - (this.last ?? now));
    this.slow = elapsedMs > SLOW_MS ? this.slow + 1 : Math.max(0, this.slow - 1);
    if (this.slow > SLOW_REDRAWS) this.blur();
    this.draw(Math.min(LONGEST_MS, elapsedMs));
    this.last = this.isMoving() ? now : null;
    if (this.last !== null) this.invalidate();
  }

  close() {
    this.isClosed = true;
    this.sight.disconnect();
  }
}
