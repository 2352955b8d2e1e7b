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
    one("#stage video")?.play().catch(() => {}); // the error event has said why
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
    const i = this.job;
    if (event.key === "ArrowLeft") this.turn(-1);
    else if (event.key === "ArrowRight") this.turn(1);
    else if (event.key === "a") this.page.mark(i, "accept");
    else if (event.key === "r") this.page.mark(i, "reject");
    else if (event.key === "u") this.page.mark(i, "");
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
    const stage = one("#stage");
    stage.replaceChildren(...files.map((file) => player(file, text.prompt || text.job_id)));
    stage.dataset.tone = stateTone(state);
    stage.classList.toggle("several", files.length > 1);
    if (!files.length) {
      const still = make("span", { class: "still" });
      fillStill(still, i, text, state, this.page);
      stage.append(still);
    }
    const facts = one("#facts");
    facts.dataset.tone = stateTone(state);
    facts.replaceChildren(
      this.head(place, gallery.list.length),
      make("p", { class: "badge" }, icon(stateIcon(state)), stateLabel(state)),
      make("h2", { id: "details-title" }, titleOf(text, jobs.name("scene", i))),
      this.advice(i, text, state) ?? "",
      this.marks(i),
      this.table(i, text, files, links),
    );
    fillMarks(facts, text.job_id, this.page.marks);
    facts.scrollTop = 0;
  }

  head(place, count) {
    const button = (name, label, step) =>
      make("button", { type: "button", class: "round", "aria-label": label, disabled: !gallery(place + step), onclick: () => this.turn(step) }, icon(name));
    const gallery = (next) => next >= 0 && next < count;
    return make("div", { class: "head" },
      button("left", "Previous job", -1),
      make("span", {}, `${number(place + 1)} of ${number(count)}`),
      button("right", "Next job", 1),
      make("span", { class: "grow" }),
      make("button", { type: "button", class: "round", "aria-label": "Close", autofocus: true, onclick: () => this.dialog.close() }, icon("cross")),
    );
  }

  advice(i, text, state) {
    const code = this.page.jobs.name("error_code", i);
    const step = this.page.advice(code, state);
    if (!text.error && !step) return null;
    return make("div", { class: "advice" },
      text.error ? make("p", { class: "error" }, text.error) : null,
      step ? make("p", {}, withCode(step)) : null,
    );
  }

  marks(i) {
    const button = (kind, label, name) =>
      make("button", { type: "button", class: `mark ${kind}`, onclick: () => this.page.mark(i, kind) }, icon(name), label);
    return make("div", { class: "marks", hidden: !this.page.markable(i) }, button("accept", "Accept", "check"), button("reject", "Reject", "cross"));
  }

  /** Every column of the job's line in results.csv that is not blank. */
  table(i, text, files, links) {
    const { jobs, meta } = this.page;
    const list = make("dl", { class: "columns" });
    const add = (name, value) => {
      if (value === "" || value === null || value === undefined) return;
      list.append(make("div", {}, make("dt", {}, name), make("dd", {}, value)));
    };
    const amount = (name) => (Number.isFinite(jobs.number(name, i)) ? number(jobs.number(name, i)) : "");
    const when = (name) => {
      const seconds = jobs.number(name, i);
      return Number.isFinite(seconds) ? make("time", { datetime: exact(seconds), title: exact(seconds) }, moment(seconds)) : "";
    };
    add("Job", text.job_id);
    add("Model", jobs.name("model", i));
    add("Provider", jobs.name("provider", i));
    add("Scene", jobs.name("scene", i));
    meta.other.forEach((name, k) => {
      if (name !== "prompt") add(name, text.other[k]);
    });
    add("Task", text.task_id);
    add("Credits estimated", amount("estimated_credits"));
    add("Credits charged", amount("charged_credits"));
    add("Credits refunded", amount("refunded_credits"));
    add("Attempts", amount("attempts"));
    add("Submitted", when("submitted_at"));
    add("Finished", when("finished_at"));
    add("Time to make", jobs.seconds(i) >= 0 ? span(jobs.seconds(i)) : "");
    add("Error", jobs.name("error_code", i));
    files.forEach((file, k) => add(k ? "" : "File", make("a", { href: file, target: "_blank" }, text.video_paths[k])));
    links.forEach((link, k) => add(k ? "" : "At the service", make("a", { href: link, target: "_blank", rel: "noopener noreferrer" }, link)));
    add("Kept there until", when("expires_at"));
    const row = amount("row");
    add("Manifest", jobs.name("manifest", i) + (row ? `, row ${row}` : ""));
    return list;
  }
}
