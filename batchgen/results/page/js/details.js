// Everything about one job, over the page: its videos large, its prompt whole, every column.

class Details {
  constructor(page) {
    this.page = page;
    this.dialog = one("#details");
    this.place = 0; // in the list
    this.job = -1; // which is shown; the list may change under it
    this.dialog.addEventListener("close", () => {
      one("#stage").replaceChildren();
      this.page.gallery.go(this.place);
    });
    this.dialog.addEventListener("click", (event) => {
      if (event.target === this.dialog) this.dialog.close();
    });
    this.dialog.addEventListener("keydown", (event) => this.typed(event));
  }

  open(place) {
    for (const card of all(".grid .playing")) stopCard(card, this.page);
    this.fill(place);
    if (!this.dialog.open) this.dialog.showModal();
    all("#stage video").at(-1)?.play().catch(() => {}); // the error event has said why
  }

  /** The list is another now: the same job is shown, at its new place. */
  follow() {
    if (!this.dialog.open) return;
    const place = this.page.gallery.list.indexOf(this.job);
    if (place < 0) return;
    this.place = place;
    const count = this.page.gallery.list.length;
    const head = one(".head", one("#facts")); // changed, not made again: the keyboard may be on it
    const [previous, next] = all(".round", head);
    previous.disabled = place === 0;
    next.disabled = place === count - 1;
    one("span", head).textContent = `${number(place + 1)} of ${number(count)}`;
  }

  /** Jobs changed while the page was open. A video that is there goes on playing. */
  refresh(changed) {
    const place = this.page.gallery.list.indexOf(this.job);
    if (this.dialog.open && changed.has(this.job) && place >= 0 && !one("#stage video")) this.fill(place);
  }

  turn(step) {
    const place = this.place + step;
    if (place >= 0 && place < this.page.gallery.list.length) this.fill(place);
  }

  typed(event) {
    if (event.target.closest("video") || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest("textarea, input, select")) return;
    const i = this.job;
    if (event.key === "ArrowLeft") this.turn(-1);
    else if (event.key === "ArrowRight") this.turn(1);
    else if (MARK_KEYS[event.key] !== undefined) this.page.mark(i, MARK_KEYS[event.key]);
    else return;
    event.preventDefault();
  }

  fill(place) {
    this.place = place;
    const { jobs, gallery } = this.page;
    const i = (this.job = gallery.list[place]);
    const text = jobs.text(i);
    const state = jobs.name("state", i);
    const { files, links } = videosOf(text);
    this.stage(i, text, files);
    const kind = jobs.kind(i);
    const facts = one("#facts");
    if (!this.page.meta.client) facts.dataset.tone = stateTone(state);
    const { title, id } = jobs.nameOf(text);
    const words = text.prompt || (title ? "" : wordsOf(text, jobs.name("scene", i)));
    const said = state === "changed" || kind !== "succeeded" ? make("p", { class: "badge" }, icon(stateIcon(state)), stateLabel(kind === "gone" || kind === "succeeded" ? state : kind)) : "";
    facts.replaceChildren(
      this.head(place, gallery.list.length),
      make("div", { class: "called" }, title ? make("p", { class: "name", dir: "auto" }, title, id ? make("span", { class: "id" }, ` ${id}`) : null) : null, said),
      make("h2", { id: "details-title", dir: "auto" }, words || title),
      text.now ? make("p", { class: "now" }, "now reads: ", make("span", { dir: "auto" }, text.now)) : "",
      ...(this.page.about?.(i, text, files, links) ?? [this.own(text)]),
    );
    facts.scrollTop = 0;
  }

  /** The films of a job, large; after a retry every version side by side, the newest last. */
  stage(i, text, files) {
    const stage = one("#stage");
    if (this.page.closed) files = [];
    const takes = (this.page.closed ? [] : text.takes || []).filter((take) => take.paths.map(fileLink).some(Boolean));
    const films = takes.flatMap((take, k) => take.paths.map(fileLink).filter(Boolean).map((file) => [file, `Version ${k + 1}`, take.prompt]));
    const label = (k) => (takes.length ? `Version ${takes.length + 1}, the newest` : files.length > 1 ? `${k + 1} of ${files.length}` : "");
    files.forEach((file, k) => films.push([file, label(k), takes.length ? text.prompt : ""]));
    stage.classList.toggle("several", films.length > 1);
    stage.replaceChildren(...films.map(([file, words, prompt]) => {
      const shown = player(file, words || text.prompt || text.job_id);
      return words ? make("figure", {}, shown, make("figcaption", {}, make("strong", {}, words), prompt && prompt !== text.prompt ? make("span", { dir: "auto" }, prompt) : null)) : shown;
    }));
    if (!films.length) {
      const still = make("span", { class: "still blank" });
      fillStill(still, i, text, this.page);
      stage.append(still);
    }
  }

  /** The user's own columns, as far as this page has them. */
  own(text) {
    const list = make("dl", { class: "columns" });
    this.page.meta.other.forEach((name, k) => {
      if (name !== "prompt" && k !== this.page.jobs.title && text.other[k]) list.append(make("div", {}, make("dt", { dir: "auto" }, name), make("dd", { dir: "auto" }, text.other[k])));
    });
    if (text.review_note) list.append(make("div", {}, make("dt", {}, "Note"), make("dd", { dir: "auto" }, text.review_note)));
    return list;
  }

  head(place, count) {
    const button = (name, label, step) =>
      make("button", { type: "button", class: "round", "aria-label": label, disabled: !gallery(place + step), onclick: () => this.turn(step) }, icon(name));
    const gallery = (next) => next >= 0 && next < count;
    return make("div", { class: "head" },
      button("left", "Previous", -1),
      make("span", {}, `${number(place + 1)} of ${number(count)}`),
      button("right", "Next", 1),
      make("span", { class: "grow" }),
      make("button", { type: "button", class: "round", "aria-label": "Close", autofocus: true, onclick: () => this.dialog.close() }, icon("cross")),
    );
  }
}
