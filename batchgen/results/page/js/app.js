// Puts the page together: header, tabs, filters, marks, printing, and the changes that a live page hears of.

class Page {
  constructor() {
    this.meta = JSON.parse(one("#meta").textContent);
    this.jobs = new Jobs(this.meta);
    this.marks = new Marks(this.meta.key);
    this.posters = new Posters();
    this.choice = new Choice();
    this.gallery = new Gallery(this);
    this.details = new Details(this);
    this.turn = 0;
  }

  async start() {
    this.tabs();
    this.bar();
    await this.jobs.read(() => this.update());
    this.update();
    document.documentElement.dataset.ready = "yes";
    if (this.meta.live !== null) this.listen();
  }

  /** What to do about an error code or a state, if there is anything. A code may be any text. */
  advice(code, state) {
    const { advice } = this.meta;
    return Object.hasOwn(advice, code) ? advice[code] : advice[state];
  }

  /** Everything that depends on the jobs, again. */
  update() {
    this.head();
    this.chips();
    this.facets();
    this.saveButton();
    this.select();
    if (!one("#run").hidden) runReport(this, one("#run"));
  }

  head() {
    const { meta, jobs } = this;
    const states = new Map(meta.states);
    const total = meta.states.reduce((sum, [, count]) => sum + count, 0);
    const ready = states.get("succeeded") || 0;
    const open = ["bad", "warn"].map((tone) => meta.states.filter(([state]) => stateTone(state) === tone).reduce((sum, [, count]) => sum + count, 0));
    const { estimated, charged } = meta.credits;
    const end = meta.finished_at ?? meta.written_at;
    const stat = (label, value, rest, tone) => make("div", { "data-tone": tone }, make("dt", {}, label), make("dd", {}, value, rest ? make("small", {}, rest) : null));
    one("#when").textContent = [meta.service, meta.started_at ? moment(meta.started_at) : ""].filter(Boolean).join(" · ");
    one("#stats").replaceChildren(
      stat("Videos ready", number(ready), `of ${number(total)}`),
      stat("Need attention", number(open[0] + open[1]), null, open[0] + open[1] ? "warn" : null),
      stat("Credits charged", number(charged), `of ${number(estimated)} planned`),
      meta.started_at && end ? stat(meta.finished_at ? "Took" : "Running for", span(end - meta.started_at)) : "",
    );
    const notice = one("#notice");
    notice.hidden = jobs.size >= total || !document.documentElement.dataset.ready || meta.live !== null;
    notice.textContent = `This page shows the first ${number(jobs.size)} of ${number(total)} jobs. results.csv has them all.`;
    document.title = `${meta.out} · ${plural(ready, "video")}`;
  }

  tabs() {
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
      else this.gallery.measure();
    };
    this.showTab = (id) => show(one(`#${id}`));
    for (const tab of tabs) tab.addEventListener("click", () => show(tab));
    one("[role=tablist]").addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (step) show(tabs[(tabs.indexOf(event.target) + step + tabs.length) % tabs.length], true);
    });
    let resized = 0;
    addEventListener("resize", () => {
      clearTimeout(resized);
      resized = setTimeout(() => !one("#run").hidden && runReport(this, one("#run")), 150);
    });
    addEventListener("beforeprint", () => this.print());
  }

  bar() {
    one("#bar").addEventListener("submit", (event) => event.preventDefault());
    let typing = 0;
    one("#query").addEventListener("input", (event) => {
      this.choice.query = event.target.value;
      clearTimeout(typing);
      typing = setTimeout(() => this.select(), 120);
    });
    const options = Object.entries(SORTS).map(([value, [label]]) => make("option", { value }, label));
    const own = this.meta.other.map((name, k) => (name === "prompt" ? null : make("option", { value: `own:${k}` }, name))).filter(Boolean);
    one("#sort").append(...options, ...(own.length ? [make("optgroup", { label: "Own columns" }, own)] : []));
    one("#sort").addEventListener("change", (event) => {
      this.choice.sort = event.target.value;
      this.select();
    });
    one("#more").addEventListener("click", () => {
      const facets = one("#facets");
      facets.hidden = !facets.hidden;
      one("#more").setAttribute("aria-expanded", !facets.hidden);
    });
    one("#clear").addEventListener("click", () => this.showOnly({}));
    one("#save").addEventListener("click", () => this.marks.save(this.meta.out));
  }

  /** One button a state, with its count; several may be pressed. */
  chips() {
    const counts = new Map(tally(this.jobs, this.jobs.named.get("state")));
    const picked = this.choice.picks.get("state") || new Set();
    const chip = (state) => {
      const press = () => {
        const now = new Set(this.choice.picks.get("state"));
        if (!now.delete(state)) now.add(state);
        this.choice.pick("state", [...now]);
        this.select();
        this.chips();
      };
      return make("button", { type: "button", class: "chip", "data-state": state, "data-tone": stateTone(state), "aria-pressed": String(picked.has(state)), onclick: press },
        make("i", {}), stateLabel(state), make("b", {}, number(counts.get(state) ?? 0)));
    };
    const focused = document.activeElement?.closest("#chips .chip")?.dataset.state;
    one("#chips").replaceChildren(...Object.keys(STATES).filter((state) => counts.has(state) || picked.has(state)).map(chip));
    if (focused) one(`#chips [data-state=${focused}]`)?.focus({ preventScroll: true });
  }

  /** One list a name that has a few values. */
  facets(anyway = false) {
    if (!anyway && one("#facets").contains(document.activeElement)) return; // a list that is open stays open
    const { jobs, meta } = this;
    const named = [["scene", "Scene"], ["model", "Model"], ["provider", "Provider"], ["manifest", "Manifest"], ["error_code", "Error"]].map(([name, label]) => [name, label, jobs.named.get(name)]);
    const own = jobs.facets.map((names, k) => [`own:${k}`, meta.other[meta.facets[k]], names]);
    const lists = [...named, ...own].map(([filter, label, names]) => {
      const values = names.values.length <= 100 ? tally(jobs, names) : [];
      const useful = filter === "error_code" ? values.some(([value]) => value) : values.length > 1;
      return useful ? this.facet(filter, label, values.map(([value, count]) => [value, `${value || "(blank)"} (${number(count)})`])) : null;
    });
    lists.push(this.facet("mark", "Marks", [["accept", "Accepted"], ["reject", "Rejected"], ["", "Not marked"]]));
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
    return make("label", { class: "pick" }, make("span", {}, label), select);
  }

  /** Show what these filters let through, and nothing else: {filter: [values]}. */
  showOnly(picks) {
    this.choice = new Choice();
    this.choice.sort = one("#sort").value;
    for (const [filter, values] of Object.entries(picks)) this.choice.pick(filter, values);
    one("#query").value = "";
    this.showTab("tab-gallery");
    this.chips();
    this.facets(true);
    this.select();
  }

  async select(quietly = false) {
    const turn = ++this.turn;
    one("#gallery").setAttribute("aria-busy", "true");
    const list = await choose(this.jobs, this.choice, this.marks, () => turn === this.turn);
    if (!list) return;
    one("#gallery").removeAttribute("aria-busy");
    one("#count").textContent = this.choice.narrow ? `${number(list.length)} of ${plural(this.jobs.size, "job")}` : plural(this.jobs.size, "job");
    one("#clear").hidden = !this.choice.narrow;
    const listed = [...this.choice.picks.keys()].filter((filter) => filter !== "state").length;
    one("#more span").textContent = listed ? `Filters (${listed})` : "Filters";
    const before = this.gallery.list;
    const same = list.length === before.length && list.every((i, k) => i === before[k]);
    if (!same) this.gallery.show(list, quietly);
    else if (!quietly) this.gallery.refresh();
  }

  /** Only a video can be accepted or rejected. */
  markable(i) {
    return this.jobs.name("state", i) === "succeeded" && this.jobs.text(i).job_id !== "";
  }

  mark(i, mark) {
    if (!this.markable(i)) return;
    const job = this.jobs.text(i).job_id;
    this.marks.toggle(job, mark);
    for (const card of this.gallery.cards.values()) {
      if (Number(card.dataset.job) === i) fillMarks(card, job, this.marks);
    }
    const facts = one("#facts");
    if (this.details.dialog.open) fillMarks(facts, job, this.marks);
    this.saveButton();
  }

  saveButton() {
    const [accepted, rejected] = [this.marks.count("accept"), this.marks.count("reject")];
    const button = one("#save");
    button.disabled = !accepted && !rejected;
    one("span", button).textContent = button.disabled ? "Download marks" : `Download marks: ${number(accepted)} accepted, ${number(rejected)} rejected`;
    button.title = this.marks.kept ? "Marks are kept in this browser. The file goes to `batchgen retry`." : "This browser keeps nothing: download the marks before closing the page.";
  }

  /** On paper: the report of the run, then the chosen jobs as a list (at most 500, with the posters there are). */
  print() {
    const { jobs, gallery, posters } = this;
    const run = one("#run");
    const hidden = run.hidden;
    run.hidden = false;
    runReport(this, run);
    run.hidden = hidden;
    const items = gallery.list.slice(0, 500).map((i) => {
      const text = jobs.text(i);
      const [file] = videosOf(text).files;
      const canvas = posters.stills.get(file);
      return make("li", {}, make("div", { class: "still" }, canvas ? copyOf(canvas) : icon(stateIcon(jobs.name("state", i)))),
        make("p", {}, make("strong", {}, stateLabel(jobs.name("state", i))), ` ${text.prompt || text.job_id}`));
    });
    const rest = gallery.list.length - items.length;
    one("#print").replaceChildren(make("h2", {}, "Videos"), make("ul", {}, items), rest > 0 ? make("p", {}, `and ${number(rest)} more`) : "");
  }

  /** Ask the server what changed, for as long as the page is open. */
  async listen() {
    let since = this.meta.live;
    let failures = 0;
    let wait = 1;
    for (;;) {
      let more = false;
      try {
        const answer = await fetch(`data?since=${since}&facets=${this.meta.facets}`, { cache: "no-store" });
        if (!answer.ok) throw new Error(answer.statusText);
        const news = await answer.json();
        failures = 0;
        since = news.seq;
        more = news.more;
        wait = news.wait;
        Object.assign(this.meta, news.meta);
        if (news.at.length) {
          this.jobs.change(news);
          this.head();
          this.chips();
          this.facets();
          await this.select(true);
          this.gallery.refresh(new Set(news.at));
          this.details.refresh(new Set(news.at));
          if (!one("#run").hidden) runReport(this, one("#run"));
        } else this.head();
      } catch {
        failures++;
      }
      const notice = one("#notice");
      notice.hidden = failures < 3;
      notice.textContent = "The run that this page watches has ended, or does not answer. Download your marks here: report.html, which has all videos, keeps its own.";
      if (!more) await new Promise((done) => setTimeout(done, Math.min(30, wait + failures * 2) * 1000));
    }
  }
}

new Page().start();
