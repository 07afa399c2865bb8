// Pictures whose marks can be pointed at, walked with the arrow keys and pressed. The page's HTML comes escaped from the server;
// words of a mark reach the page by textContent only.

const pictures = new WeakMap(); // parent element -> Picture

export default function ({ data, parentElement, setTriggerValue }) {
  let picture = pictures.get(parentElement);
  if (!picture) {
    picture = new Picture(parentElement);
    pictures.set(parentElement, picture);
  }
  picture.press = (name) => setTriggerValue("pressed", name);
  picture.receive(data.html);
}

const STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

class Picture {
  constructor(parent) {
    this.root = document.createElement("div");
    this.root.className = "marks";
    this.body = document.createElement("div");
    this.tip = document.createElement("div");
    this.tip.className = "tip";
    this.tip.setAttribute("aria-hidden", "true"); // a mark's name says the same
    this.tip.hidden = true;
    this.root.append(this.body, this.tip);
    parent.append(this.root); // beside the style sheet that Streamlit put there
    this.html = null;
    this.part = null; // the part that a narrow picture shows
    const on = (name, act) => this.root.addEventListener(name, act);
    on("mouseover", (event) => this.show(event.target.closest("[data-tip]")));
    on("mouseleave", () => this.show(null));
    on("focusin", (event) => this.show(event.target.closest("[data-tip]")));
    on("focusout", () => this.show(null));
    on("click", (event) => this.click(event.target));
    on("keydown", (event) => this.key(event));
    on("input", (event) => { if (event.target.matches("[data-find]")) this.find(event.target.value); });
  }

  find(asked) { // leaves the marks that have every word, and the first of them to the keys
    const wanted = asked.toLowerCase().split(/\s+/).filter(Boolean);
    const all = [...this.body.querySelectorAll("[data-words]")];
    all.forEach((mark) => { mark.hidden = !wanted.every((word) => mark.dataset.words.includes(word)); });
    this.body.querySelectorAll("section").forEach((part) => { part.hidden = !part.querySelector("[data-words]:not([hidden])"); });
    const first = all.find((mark) => !mark.hidden);
    const none = this.body.querySelector("[data-none]");
    if (none) none.hidden = Boolean(first);
    if (first) this.take(first);
  }

  receive(html) {
    if (html === this.html) return;
    const scroll = this.body.querySelector(".scroll")?.scrollLeft;
    const down = this.body.querySelector(".list")?.scrollTop;
    const active = this.root.getRootNode().activeElement;
    const held = active?.dataset?.mark;
    const field = this.body.querySelector("[data-find]");
    this.html = html;
    this.body.innerHTML = html;
    this.show(null);
    const marks = this.marks();
    const same = held && marks.find((mark) => mark.dataset.mark === held);
    marks.forEach((mark) => { mark.tabIndex = -1; });
    if (same || marks.length) (same || marks[0]).tabIndex = 0;
    if (same) same.focus({ preventScroll: true });
    if (scroll) this.body.querySelector(".scroll").scrollLeft = scroll;
    const search = field && this.body.querySelector("[data-find]");
    if (search) { // without the focus in it a dialog around would not hear Escape
      search.value = field.value;
      if (field.value) this.find(field.value);
      if (same) this.take(same);
      if (field === active) search.focus({ preventScroll: true });
    }
    if (down) this.body.querySelector(".list").scrollTop = down;
    this.choose(this.part);
  }

  marks() {
    return [...this.body.querySelectorAll("[data-mark]")];
  }

  choose(name) {
    const parts = [...this.body.querySelectorAll("[data-part]")];
    if (!parts.length) return;
    const names = parts.map((part) => part.dataset.part);
    const shown = names.includes(name) ? name : names[0];
    parts.forEach((part) => part.classList.toggle("on", part.dataset.part === shown));
    this.body.querySelectorAll("[data-choose]").forEach((pill) => pill.setAttribute("aria-pressed", String(pill.dataset.choose === shown)));
    this.part = shown;
  }

  click(target) {
    const pill = target.closest("[data-choose]");
    if (pill) this.choose(pill.dataset.choose);
    const mark = target.closest("[data-mark]");
    if (mark) this.take(mark);
    if (mark && mark.dataset.press) this.press(mark.dataset.press);
  }

  key(event) {
    if (event.target.matches("[data-find]")) {
      const first = this.marks().find((mark) => mark.tabIndex === 0 && mark.getClientRects().length);
      if (first && event.key === "ArrowDown") { event.preventDefault(); first.focus(); }
      if (first?.dataset.press && event.key === "Enter" && event.target.value) this.press(first.dataset.press);
      return;
    }
    const mark = event.target.closest("[data-mark]");
    if (!mark) return;
    if (event.key === "Escape") { this.show(null); return; }
    if ((event.key === "Enter" || event.key === " ") && mark.tagName !== "BUTTON" && mark.dataset.press) {
      event.preventDefault();
      this.press(mark.dataset.press);
    }
    const step = STEPS[event.key];
    if (!step) return;
    event.preventDefault();
    const from = mark.getBoundingClientRect();
    let best = step[0] && mark.dataset.beside ? this.marks().find((other) => other.dataset.mark === mark.dataset.beside) : null;
    if (best) { this.take(best); best.focus(); return; } // what belongs to a line, however many lines of text it has
    let least = Infinity;
    for (const other of this.marks()) {
      const box = other.getBoundingClientRect();
      if (other === mark || !box.width || (mark.dataset.beside && other.dataset.mark === mark.dataset.beside)) continue;
      const across = box.x + box.width / 2 - from.x - from.width / 2;
      const down = box.y + box.height / 2 - from.y - from.height / 2;
      const along = step[0] * across + step[1] * down;
      const aside = Math.abs(step[0] ? down : across);
      // a row is a few pixels high, a column is as wide as its lane
      if (along <= (step[0] ? 12 : 4) || (step[0] && aside > 6)) continue;
      const far = along + (step[0] ? 4 : 0.25) * aside;
      if (far < least) [best, least] = [other, far];
    }
    if (best) { this.take(best); best.focus(); }
  }

  take(mark) {
    this.marks().forEach((other) => { other.tabIndex = -1; });
    mark.tabIndex = 0;
  }

  show(mark) {
    this.tip.hidden = !mark;
    if (!mark) return;
    this.tip.textContent = mark.dataset.tip; // a line break starts a line
    const frame = this.root.getBoundingClientRect();
    const box = mark.getBoundingClientRect();
    const own = this.tip.getBoundingClientRect();
    const left = Math.min(Math.max(0, box.x + box.width / 2 - own.width / 2 - frame.x), Math.max(0, frame.width - own.width));
    const above = box.y - frame.y - own.height - 8;
    this.tip.style.left = `${left}px`;
    this.tip.style.top = `${above > -24 ? above : box.bottom - frame.y + 8}px`;
  }
}
