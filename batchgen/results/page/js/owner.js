// The page of whoever made the batch: states and their chips, marks, the run report.

Object.assign(SORTS, {
  newest: ["Newest first", (jobs, i) => -(jobs.number("finished_at", i) || 0)],
  oldest: ["Oldest first", (jobs, i) => jobs.number("finished_at", i) || Infinity],
  longest: ["Longest to make", (jobs, i) => -(jobs.seconds(i) || 0)],
  shortest: ["Shortest to make", (jobs, i) => jobs.seconds(i) || Infinity],
  credits: ["Most credits", (jobs, i) => -(jobs.number("charged_credits", i) || 0)],
  attempts: ["Most attempts", (jobs, i) => -jobs.number("attempts", i)],
  state: ["State", (jobs, i) => jobs.name("state", i)],
  model: ["Model", (jobs, i) => jobs.name("model", i)],
  prompt: ["Prompt A–Z", (jobs, i) => jobs.text(i).prompt.toLowerCase()],
});

class OwnerPage extends Page {
  constructor() {
    super();
    this.marks = new Marks(this.meta.key);
  }

  async start() {
    await super.start();
    if (this.meta.live !== null) listen(this);
  }

  /** What to do about an error code or a state, if there is anything. A code may be any text. */
  advice(code, state) {
    const { advice } = this.meta;
    return Object.hasOwn(advice, code) ? advice[code] : advice[state];
  }

  about(i, text, files, links) {
    return aboutJob(this, i, text, files, links);
  }

  update() {
    super.update();
    if (!one("#run").hidden) runReport(this, one("#run"));
  }

  head() {
    const { meta, jobs } = this;
    const states = new Map(meta.states);
    const total = meta.states.reduce((sum, [, count]) => sum + count, 0);
    const ready = states.get("succeeded") || 0;
    const open = total - ready - (states.get("changed") || 0);
    const unit = meta.unit === "usd" ? "USD" : "credits";
    const stat = (value, words, kind) => make("span", { class: kind }, make("b", {}, value), ` ${words}`);
    one("#stats").replaceChildren(...[
      stat(`${number(ready)} of ${number(total)}`, "ready"),
      open && ready ? stat(number(open), "not ready", "rest") : null,
      stat(number(meta.credits.charged), `${unit} charged`),
    ].filter(Boolean));
    const notice = one("#notice");
    if (meta.live === null) {
      notice.hidden = jobs.size >= total || !document.documentElement.dataset.ready;
      notice.textContent = `This page shows the first ${number(jobs.size)} of ${number(total)} jobs. results.csv has them all.`;
    }
    document.title = `${meta.out} · ${plural(ready, "video")}`;
  }

  views() {
    const tabs = all("[role=tab]");
    const show = (tab, focus) => {
      for (const other of tabs) {
        const chosen = other === tab;
        other.setAttribute("aria-selected", chosen);
        other.tabIndex = chosen ? 0 : -1;
        one(`#${other.getAttribute("aria-controls")}`).hidden = !chosen;
      }
      if (focus) tab.focus();
      if (tab.id === "tab-run") runReport(this, one("#run"));
      else {
        this.fitChips();
        this.gallery.measure();
      }
    };
    this.showTab = (id) => show(one(`#${id}`));
    for (const tab of tabs) tab.addEventListener("click", () => show(tab));
    one("[role=tablist]").addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (step) show(tabs[(tabs.indexOf(event.target) + step + tabs.length) % tabs.length], true);
    });
    let resized = 0;
    addEventListener("resize", () => {
      this.fitChips();
      clearTimeout(resized);
      resized = setTimeout(() => !one("#run").hidden && runReport(this, one("#run")), 150);
    });
    one("#view").addEventListener("change", (event) => this.look(event.target.value));
    one("#save").addEventListener("click", () => this.marks.save(this.meta.out));
  }

  look(view) {
    this.choice.view = view;
    this.chips();
    this.select();
  }

  /** One button a kind of job with its count, films first; on a small screen the same as a list. */
  chips() {
    const { jobs, choice } = this;
    const counts = new Map();
    for (let i = 0; i < jobs.size; i++) counts.set(jobs.kind(i), (counts.get(jobs.kind(i)) || 0) + 1);
    const kinds = Object.keys(STATES).filter((kind) => kind === "succeeded" || counts.has(kind) || choice.view === kind);
    const all_ = [["all", "All"]];
    const entries = [...kinds.map((kind) => [kind, stateLabel(kind)]), ...(kinds.length > 1 ? all_ : [])];
    const count = (kind) => (kind === "all" ? jobs.size : counts.get(kind) ?? 0);
    const chip = ([kind, label]) => make("button", {
      type: "button", class: "chip", "data-state": kind, "data-tone": stateTone(kind), "aria-pressed": String(choice.view === kind),
      onclick: () => this.look(choice.view === kind ? "succeeded" : kind),
    }, kind === "succeeded" || kind === "all" ? null : make("i", {}), label, make("b", {}, number(count(kind))));
    const focused = document.activeElement?.closest("#chips .chip")?.dataset.state;
    one("#chips").replaceChildren(...entries.map(chip));
    this.fitChips();
    if (focused) one(`#chips [data-state=${focused}]`)?.focus({ preventScroll: true });
    one("#view").replaceChildren(...entries.map(([kind, label]) => make("option", { value: kind, selected: choice.view === kind }, `${label} (${number(count(kind))})`)));
  }

  count(list) {
    super.count(list);
    this.fitChips();
  }

  /** Where the chips would break the bar into two lines, a list stands in their place. */
  fitChips() {
    const bar = one("#bar");
    bar.classList.remove("many");
    bar.classList.toggle("many", one(".tools", bar).offsetHeight > 44);
  }

  /** One list a name that has a few values. */
  facets(anyway = false) {
    if (!anyway && one("#facets").contains(document.activeElement)) return; // a list that is open stays open
    const { jobs, meta } = this;
    const named = [["scene", "Scene"], ["model", "Model"], ["provider", "Provider"], ["manifest", "Manifest"], ["error_code", "Error"]].map(([name, label]) => [name, label, jobs.named.get(name)]);
    const own = jobs.facets.map((names, k) => [`own:${k}`, meta.other[meta.facets[k]], names]);
    const lists = [...own, ...named].map(([filter, label, names]) => {
      const values = names.values.length <= 100 ? tally(jobs, names) : [];
      const useful = filter === "error_code" ? values.some(([value]) => value) : values.length > 1;
      return useful ? this.facet(filter, label, values.map(([value, count]) => [value, `${value || "(blank)"} (${number(count)})`])) : null;
    });
    lists.unshift(this.facet("mark", "Marks", [["accept", "Accepted"], ["reject", "To redo"], ["", "Not marked"]]));
    one("#facets").replaceChildren(...lists.filter(Boolean));
  }

  facet(filter, label, values) {
    const picked = this.choice.picks.get(filter);
    const select = make("select", { "data-filter": filter }, make("option", { value: "all" }, "All"),
      values.map(([value, text]) => make("option", { value: `=${value}`, selected: picked?.has(value) }, text)));
    select.addEventListener("change", () => {
      this.choice.pick(filter, select.value === "all" ? [] : [select.value.slice(1)]);
      this.select();
    });
    return make("label", { class: "pick" }, make("span", { dir: "auto" }, label), select);
  }

  /** Only a film can be marked, and only under the name of the task that made it. */
  markable(i) {
    const text = this.jobs.text(i);
    return this.jobs.film(i) && text.task_id !== "" && text.job_id !== "";
  }

  mark(i, mark) {
    if (!this.markable(i)) return;
    this.marks.toggle(this.jobs.text(i), mark);
    this.marked(i);
  }

  /** Job i has another mark or note. */
  marked(i) {
    const text = this.jobs.text(i);
    for (const card of this.gallery.cards.values()) {
      if (Number(card.dataset.job) === i) fillMarks(card, text, this.marks);
    }
    const panel = one("#facts .review");
    if (panel && this.details.job === i) panel.dispatchEvent(new Event("marked"));
    this.saveBar();
  }

  /** The marks of this browser, at the foot of the page, from the first one on. */
  saveBar() {
    const { marks } = this;
    const [accepted, redo, loose] = [marks.count("accept"), marks.count("reject"), marks.loose];
    one("#saved").hidden = !accepted && !redo && !loose;
    const words = [accepted ? `${number(accepted)} accepted` : "", redo ? `${number(redo)} to redo` : "", loose ? `${plural(loose, "note")} without a mark` : ""];
    one("#saved p").textContent = words.filter(Boolean).join(", ");
    one("#save").disabled = !accepted && !redo;
    one("#save").title = marks.kept ? `Marks are kept in this browser. The file goes to: batchgen review ${this.meta.folder} ${this.meta.out}.marks.csv` : "This browser keeps nothing: download the marks before closing the page.";
  }

  /** The report of the run, then the films. */
  print() {
    const run = one("#run");
    const hidden = run.hidden;
    run.hidden = false;
    runReport(this, run);
    run.hidden = hidden;
    super.print();
  }
}

new OwnerPage().start();
