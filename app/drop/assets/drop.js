// The drop zone: a file goes from the browser to the server's own address and never through the page's process. File names and
// the server's sentences reach the page by textContent only.

const zones = new WeakMap(); // parent element -> Zone

export default function ({ data, parentElement, setTriggerValue }) {
  let zone = zones.get(parentElement);
  if (!zone) {
    zone = new Zone(parentElement);
    zones.set(parentElement, zone);
  }
  zone.notify = (id) => setTriggerValue("sent", id);
  zone.receive(data);
  return () => setTimeout(() => {
    if (parentElement.isConnected || zones.get(parentElement) !== zone) return;
    zones.delete(parentElement);
    zone.close();
  });
}

const TEMPLATE = `
<p class="what"></p>
<button type="button" class="pick"></button>
<input type="file" tabindex="-1" aria-hidden="true">
<p class="quiet taken"></p>
<progress max="1" hidden></progress>
<button type="button" class="stop" hidden></button>
<p class="quiet share" aria-hidden="true" hidden></p>
<p class="wrong" role="alert" hidden></p>
<p class="quiet state" role="status" aria-live="polite"></p>`;

const MIB = 2 ** 20;
const fill = (text, words) => text.replace(/\{(\w+)\}/g, (_, name) => words[name]);
const size = (bytes) => (bytes < MIB ? `${Math.ceil(bytes / 1024)} KiB` : `${(bytes / MIB).toFixed(1)} MiB`);

class Zone {
  constructor(parent) {
    this.root = document.createElement("div");
    this.root.className = "drop";
    this.root.innerHTML = TEMPLATE;
    parent.append(this.root); // beside the style sheet that Streamlit put there
    const find = (name) => this.root.querySelector(name);
    this.parts = Object.fromEntries(["what", "pick", "taken", "stop", "share", "wrong", "state"].map((name) => [name, find(`.${name}`)]));
    this.input = find("input");
    this.bar = find("progress");
    this.request = null;
    this.parts.pick.addEventListener("click", () => this.input.click());
    this.input.addEventListener("change", () => {
      if (this.input.files.length) this.send(this.input.files[0]);
      this.input.value = ""; // so that the same file can be chosen again
    });
    this.parts.stop.addEventListener("click", () => this.request && this.request.abort());
    let depth = 0; // of elements entered: leaving a child is not leaving the zone
    this.root.addEventListener("dragenter", (event) => { event.preventDefault(); depth += 1; this.root.classList.add("over"); });
    this.root.addEventListener("dragover", (event) => { event.preventDefault(); event.dataTransfer.dropEffect = "copy"; });
    this.root.addEventListener("dragleave", () => { depth = Math.max(0, depth - 1); if (!depth) this.root.classList.remove("over"); });
    this.root.addEventListener("drop", (event) => {
      event.preventDefault();
      depth = 0;
      this.root.classList.remove("over");
      const files = event.dataTransfer.files;
      if (files.length > 1) this.fail(this.texts.oneFile);
      else if (files.length) this.send(files[0]);
    });
  }

  receive({ url, most, endings, what, taken, small, texts, height }) {
    this.url = url;
    this.most = most;
    this.texts = texts;
    this.root.style.minHeight = height ? `${height}px` : "";
    this.parts.pick.textContent = texts.pick;
    this.parts.stop.textContent = texts.stop;
    this.bar.setAttribute("aria-label", texts.soFar);
    this.input.accept = endings.join(",");
    this.root.classList.toggle("small", Boolean(small));
    this.parts.what.textContent = what;
    this.parts.taken.textContent = taken;
    this.parts.taken.hidden = !taken;
  }

  send(file) {
    if (this.request) return;
    this.fail("");
    if (file.size > this.most) {
      this.fail(fill(this.texts.tooLarge, { size: (file.size / MIB).toFixed(0), most: (this.most / MIB).toFixed(0) }));
      return;
    }
    const request = new XMLHttpRequest();
    this.request = request;
    this.busy(true, fill(this.texts.sending, { name: file.name }));
    request.upload.addEventListener("progress", (event) => {
      if (!event.lengthComputable) return;
      this.bar.value = event.loaded / event.total;
      this.parts.share.textContent = fill(this.texts.share, { sent: size(event.loaded), whole: size(event.total) });
    });
    request.addEventListener("load", () => {
      let answer = {};
      try { answer = JSON.parse(request.responseText); } catch { /* no answer of ours: said below */ }
      if (request.status < 300 && answer.id) {
        this.request = null;
        this.parts.stop.hidden = true;
        this.parts.state.textContent = this.texts.sent;
        this.notify(answer.id);
      } else {
        this.over(answer.error || fill(this.texts.notTaken, { status: request.status }));
      }
    });
    request.addEventListener("error", () => this.over(this.texts.broken));
    request.addEventListener("abort", () => this.over("", this.texts.stopped));
    request.open("POST", this.url);
    request.setRequestHeader("Content-Type", "application/octet-stream");
    request.setRequestHeader("X-File-Name", encodeURIComponent(file.name)); // not in the address, which servers log
    request.send(file);
  }

  busy(is, text) {
    this.bar.hidden = this.parts.stop.hidden = this.parts.share.hidden = !is;
    this.parts.share.textContent = "";
    this.parts.pick.hidden = is;
    this.bar.removeAttribute("value");
    this.parts.state.textContent = text;
  }

  over(wrong, text = "") {
    this.request = null;
    this.busy(false, text);
    this.fail(wrong);
  }

  fail(text) {
    this.parts.wrong.textContent = text;
    this.parts.wrong.hidden = !text;
  }

  close() {
    if (this.request) this.request.abort();
    this.root.remove();
  }
}
