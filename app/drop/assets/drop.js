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
<button type="button" class="pick">Choose a file</button>
<input type="file" tabindex="-1" aria-hidden="true">
<p class="quiet taken"></p>
<progress max="1" hidden aria-label="Sent so far"></progress>
<button type="button" class="stop" hidden>Stop sending</button>
<p class="wrong" role="alert" hidden></p>
<p class="quiet state" role="status" aria-live="polite"></p>`;

class Zone {
  constructor(parent) {
    this.root = document.createElement("div");
    this.root.className = "drop";
    this.root.innerHTML = TEMPLATE;
    parent.append(this.root); // beside the style sheet that Streamlit put there
    const find = (name) => this.root.querySelector(name);
    this.parts = Object.fromEntries(["what", "pick", "taken", "stop", "wrong", "state"].map((name) => [name, find(`.${name}`)]));
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
      if (files.length > 1) this.fail("One file at a time, please: drop a single table, or a zip of one.");
      else if (files.length) this.send(files[0]);
    });
  }

  receive({ url, most, endings, what, taken, small }) {
    this.url = url;
    this.most = most;
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
      this.fail(`The file has ${(file.size / 2 ** 20).toFixed(0)} MiB; at most ${(this.most / 2 ** 20).toFixed(0)} MiB are taken: send a sample of its rows, or zip it.`);
      return;
    }
    const request = new XMLHttpRequest();
    this.request = request;
    this.busy(true, `Sending ${file.name} \u2026`);
    request.upload.addEventListener("progress", (event) => {
      if (event.lengthComputable) this.bar.value = event.loaded / event.total;
    });
    request.addEventListener("load", () => {
      let answer = {};
      try { answer = JSON.parse(request.responseText); } catch { /* no answer of ours: said below */ }
      if (request.status < 300 && answer.id) {
        this.request = null;
        this.parts.stop.hidden = true;
        this.parts.state.textContent = "Sent.";
        this.notify(answer.id);
      } else {
        this.over(answer.error || `The server did not take the file (${request.status}). Load the page again and send it once more.`);
      }
    });
    request.addEventListener("error", () => this.over("The connection broke while the file was sent: try again."));
    request.addEventListener("abort", () => this.over("", "Stopped; nothing of the file was kept."));
    request.open("POST", this.url);
    request.setRequestHeader("Content-Type", "application/octet-stream");
    request.setRequestHeader("X-File-Name", encodeURIComponent(file.name)); // not in the address, which servers log
    request.send(file);
  }

  busy(is, text) {
    this.bar.hidden = this.parts.stop.hidden = !is;
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
