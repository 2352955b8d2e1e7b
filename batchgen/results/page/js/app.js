// Puts the page together: header, views, filters, marks, and what a person can do with the keyboard.

class Page {
  constructor() {
    this.meta = JSON.parse(one("#meta").textContent);
    this.jobs = new Jobs(this.meta);
    this.posters = new Posters();
    this.choice = new Choice();
    this.gallery = new Gallery(this);
    this.details = new Details(this);
    this.turn = 0;
    this.seen = { yes: 0, no: 0 }; // posters that could be had, and that could not
  }

  async start() {
    document.documentElement.dataset.script = "yes";
    this.bar();
    this.views();
    helpOn(this);
    await this.jobs.read(() => this.update());
    this.offerOwn();
    this.update();
    document.documentElement.dataset.ready = "yes";
  }

  label(state) {
    return typeof stateLabel === "function" ? stateLabel(state) : "";
  }

  /** Everything that depends on the jobs, again. */
  update() {
    this.head();
    this.chips();
    this.facets();
    this.saveBar();
    this.select();
  }

  head() {}
  chips() {}
  facets() {}
  saveBar() {}
  views() {}

  bar() {
    one("#bar").addEventListener("submit", (event) => event.preventDefault());
    let typing = 0;
    one("#query").addEventListener("input", (event) => {
      this.choice.query = event.target.value;
      clearTimeout(typing);
      typing = setTimeout(() => this.select(), 120);
    });
    one("#sort").addEventListener("change", (event) => {
      this.choice.sort = event.target.value;
      this.select();
    });
    one("#group").addEventListener("change", (event) => {
      this.choice.group = event.target.value;
      this.select();
    });
    one("#more").addEventListener("click", () => this.openMore(one("#panel").hidden));
    for (const id of ["#clear", "#clear-empty"]) one(id).addEventListener("click", () => this.showOnly({}));
    this.sizes();
    one("#up").addEventListener("click", () => scrollTo({ top: 0 }));
    addEventListener("scroll", () => (one("#up").hidden = scrollY < innerHeight * 2), { passive: true });
    addEventListener("beforeprint", () => this.print());
  }

  openMore(open) {
    one("#panel").hidden = !open;
    one("#more").setAttribute("aria-expanded", open);
  }

  /** Small, medium or large; the browser remembers which. */
  sizes() {
    const choose = (size) => {
      this.gallery.size = size;
      for (const button of all("#size button")) button.setAttribute("aria-pressed", button.dataset.size === size);
      document.documentElement.dataset.size = size;
    };
    let kept = null;
    try {
      kept = localStorage.getItem("batchgen.size");
    } catch {} // storage is switched off here
    choose(Object.hasOwn(SIZES, kept ?? "") ? kept : "medium");
    for (const button of all("#size button")) {
      button.addEventListener("click", () => {
        choose(button.dataset.size);
        try {
          localStorage.setItem("batchgen.size", button.dataset.size);
        } catch {} // then it lasts until the page is closed
        this.gallery.measure();
      });
    }
  }

  /** Sorting and grouping by the user's own columns. */
  offerOwn() {
    const { meta } = this;
    const own = meta.other.map((name, k) => (name === "prompt" ? null : [name, k])).filter(Boolean);
    const options = (chosen) => own.map(([name, k]) => make("option", { value: `own:${k}`, selected: chosen === `own:${k}` }, name));
    one("#sort").append(...Object.keys(SORTS).map((value) => make("option", { value }, SORTS[value][0])), ...(own.length ? [make("optgroup", { label: "Own columns" }, options())] : []));
    one("#group").append(make("option", { value: "" }, "Nothing"), ...options());
    one("#group").closest("label").hidden = !own.length;
  }

  /** Show what these filters let through, and nothing else: {filter: [values]}. */
  showOnly(picks, view = "succeeded") {
    const { sort, group } = this.choice;
    this.choice = new Choice();
    Object.assign(this.choice, { sort, group, view });
    for (const [filter, values] of Object.entries(picks)) this.choice.pick(filter, values);
    one("#query").value = "";
    this.showTab?.("tab-gallery");
    this.chips();
    this.facets(true);
    this.select();
  }

  async select(quietly = false) {
    const turn = ++this.turn;
    one("#gallery").setAttribute("aria-busy", "true");
    const found = await choose(this.jobs, this.choice, this.marks, () => turn === this.turn);
    if (!found) return;
    one("#gallery").removeAttribute("aria-busy");
    this.count(found.list);
    const before = this.gallery.list;
    const same = found.list.length === before.length && found.list.every((i, k) => i === before[k]) && JSON.stringify(found.heads) === JSON.stringify(this.gallery.heads);
    if (!same) this.gallery.show(found, quietly);
    else if (!quietly) this.gallery.refresh();
  }

  /** How many are shown, of how many; what an empty gallery says. */
  count(list) {
    const { choice, jobs } = this;
    let films = 0;
    for (let i = 0; i < jobs.size; i++) if (jobs.film(i)) films++;
    const narrow = choice.picks.size > 0 || choice.query.trim() !== "";
    const noun = ["succeeded", "gone"].includes(choice.view) ? "film" : "job";
    one("#count").textContent = narrow ? `${number(list.length)} of ${plural(choice.view === "succeeded" ? films : jobs.size, noun)}` : plural(list.length, noun);
    one("#clear").hidden = !choice.narrow;
    one("#clear-empty").hidden = !choice.narrow;
    const set = [...choice.picks.keys()].length;
    one("#more").setAttribute("aria-label", set ? `Filters, ${set} set` : "Filters");
    one("#more span").textContent = set ? `Filters (${set})` : "Filters";
    one("#empty p").textContent = choice.narrow ? "Nothing matches these filters." : jobs.size ? "No film yet." : "There are no jobs yet.";
  }

  /** A poster could be had, or not: when none can, the folder of films is missing, and that is said once. */
  found(yes) {
    this.seen[yes ? "yes" : "no"]++;
    const banner = one("#missing");
    if (this.seen.yes) banner.hidden = true;
    else if (banner.hidden && this.seen.no >= Math.min(3, this.gallery.list.length)) banner.hidden = false;
  }

  markable() {
    return false;
  }

  mark() {}

  /** On paper: the films that are chosen, all of them up to 500, with the posters there are. */
  print() {
    const { jobs, gallery, posters } = this;
    const items = gallery.list.slice(0, 500).map((i) => {
      const text = jobs.text(i);
      const [file] = videosOf(text).files;
      const canvas = posters.stills.get(file);
      const { title } = jobs.nameOf(text);
      const state = jobs.film(i) ? null : make("strong", {}, `${this.label(jobs.name("state", i))} `);
      return make("li", {}, make("div", { class: "still" }, canvas ? copyOf(canvas) : icon("film")),
        make("p", { dir: "auto" }, state, title ? make("strong", {}, title) : null, ` ${text.prompt || ""}`));
    });
    const rest = gallery.list.length - items.length;
    one("#print").replaceChildren(make("h2", {}, "Films"), make("ul", {}, items), rest > 0 ? make("p", {}, `and ${number(rest)} more`) : "");
  }
}
