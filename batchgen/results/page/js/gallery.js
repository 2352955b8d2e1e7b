// The gallery: only the cards in sight exist, so that a hundred thousand jobs scroll like ten.

const CAPTION = 46; // pixels under a film: two lines of words
const LINE = 19;
const NOW = 2 * LINE; // and two more where the row reads otherwise now
const HOVER = 140; // milliseconds that the mouse rests on a film before it moves

const MARK_KEYS = { a: "accept", r: "reject", u: "" };

class Gallery {
  constructor(page) {
    this.page = page;
    this.grid = one("#grid");
    this.list = [];
    this.from = 0; // the first job of the page that is shown
    this.at = 0; // where the keyboard is, counted in the list
    this.cards = new Map(); // place in the list -> card
    this.headings = [];
    this.heads = [];
    this.size = "medium";
    this.plan = null; // where the cards of this page stand (see layout.js)
    this.asleep = 0;
    addEventListener("scroll", () => this.soon(), { passive: true });
    new ResizeObserver(() => this.measure()).observe(this.grid.parentElement);
    this.grid.addEventListener("click", (event) => this.clicked(event));
    this.grid.addEventListener("keydown", (event) => this.typed(event));
    this.grid.addEventListener("pointerover", (event) => this.hover(event));
    this.grid.addEventListener("pointerout", (event) => this.hover(event));
  }

  /** The mouse rests on a film, or leaves it. Who wants less motion gets none. */
  hover(event) {
    if (event.pointerType !== "mouse") return;
    const poster = event.target.closest(".poster");
    if (!poster || poster.contains(event.relatedTarget)) return;
    clearTimeout(this.resting);
    const card = poster.closest(".card");
    if (event.type === "pointerout") unglance(card);
    else if (!matchMedia("(prefers-reduced-motion: reduce)").matches) this.resting = setTimeout(() => card.isConnected && glance(card, this.page), HOVER);
  }

  /** Show these jobs from the top. With `stay`, what is being looked at stays where it is and goes on playing. */
  show({ list, heads }, stay = false) {
    const held = stay ? this.held() : null;
    const here = this.list[this.at];
    const kept = new Map();
    for (const card of this.cards.values()) {
      const place = stay ? list.indexOf(Number(card.dataset.job)) : -1;
      if (place >= 0) kept.set(place, card);
      else this.drop(card);
    }
    this.cards = kept;
    this.list = list;
    this.heads = heads;
    this.at = stay ? Math.max(0, list.indexOf(here)) : 0;
    if (!stay || this.from >= list.length) this.from = 0;
    one("#empty").hidden = list.length > 0;
    this.measure();
    if (held) this.hold(held);
    this.page.details.follow();
  }

  /** The card that is being looked at, and how high it stands: one that plays, else the first one in sight. */
  held() {
    const bar = one("#bar").getBoundingClientRect().bottom;
    const seen = [...this.cards.entries()].sort((a, b) => a[0] - b[0]).map(([, card]) => [card, card.getBoundingClientRect()])
      .filter(([, box]) => box.bottom > bar && box.top < innerHeight);
    const atTop = this.grid.getBoundingClientRect().top >= bar - 1; // then what is new may push the others down
    const [card, box] = seen.find(([its]) => its.classList.contains("playing")) || (atTop ? [] : seen[0]) || [];
    return card ? { job: Number(card.dataset.job), top: box.top } : null;
  }

  /** Scroll by as much as the list has moved that card. */
  hold({ job, top }) {
    const place = this.list.indexOf(job);
    if (!this.plan.has(place)) return;
    const now = this.grid.getBoundingClientRect().top + this.plan.at(place).top;
    if (Math.abs(now - top) >= 1) scrollBy(0, now - top);
  }

  drop(card) {
    stopCard(card, this.page);
    card.remove();
  }

  forget() {
    for (const card of this.cards.values()) this.drop(card);
    this.cards.clear();
  }

  /** What the layout has to know of the job at a place. */
  item(place) {
    const { jobs } = this.page;
    const i = this.list[place];
    if (!jobs.film(i)) return { tile: true };
    const shape = jobs.number("shape", i);
    const now = jobs.name("state", i) === "changed" ? NOW : 0;
    const caption = (wide) => CAPTION + now + (jobs.title < 0 || wide > 170 ? 0 : wide > 115 ? LINE : 2 * LINE);
    return { shape: shape > 0 ? Math.min(21 / 9, Math.max(9 / 21, shape)) : 16 / 9, caption };
  }

  /** Lay the cards out anew: the width, the size or the list is another. */
  measure() {
    const width = this.grid.clientWidth;
    if (!width) return;
    const screen = this.size === "medium" ? innerHeight - Math.max(0, this.grid.getBoundingClientRect().top + scrollY) - 10 : 0;
    const of = (place) => this.item(place);
    const plan = (from) => lay(from, this.list.length, width, this.size, from ? 0 : screen, of, this.heads);
    this.starts = [0];
    this.plan = plan(0);
    for (let next = this.plan; next.to < this.list.length && next.to > next.from; ) {
      this.starts.push(next.to);
      next = plan(next.to);
      if (this.from === next.from) this.plan = next;
    }
    this.from = this.plan.from;
    this.shown = this.plan.to - this.from;
    this.grid.style.height = `${this.plan.height}px`;
    this.pages();
    for (const heading of this.headings) heading.remove();
    this.headings = this.plan.heads.map(({ top, words }) => {
      const heading = make("li", { class: "group", role: "presentation" }, make("h2", { dir: "auto" }, words));
      heading.style.transform = `translate(0, ${top}px)`;
      return heading;
    });
    if (this.headings.length < 2000) this.grid.prepend(...this.headings);
    for (const [place, card] of this.cards) {
      if (this.plan.has(place)) this.put(card, place);
      else this.drop(card), this.cards.delete(place);
    }
    this.draw();
  }

  /** The number of the first row that ends behind `top`. */
  rowAt(top) {
    const { rows } = this.plan;
    let [low, high] = [0, rows.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (rows[middle].bottom < top) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  soon() {
    this.frame ||= requestAnimationFrame(() => {
      this.frame = 0;
      this.draw();
    });
  }

  /** Make the cards that are in sight or nearly, and drop the others. */
  draw() {
    if (!this.grid.clientWidth || !this.plan) return;
    const top = -this.grid.getBoundingClientRect().top;
    const { rows } = this.plan;
    const low = Math.max(0, this.rowAt(top) - 1);
    const high = Math.min(rows.length - 1, this.rowAt(top + innerHeight) + 1);
    const first = rows[low]?.first ?? 0;
    const last = rows[high]?.last ?? 0;
    for (const [place, card] of this.cards) {
      if ((place >= first && place < last) || card.contains(document.activeElement)) continue;
      this.drop(card);
      this.cards.delete(place);
    }
    for (let place = first; place < last; place++) if (!this.cards.has(place)) this.add(place);
    clearTimeout(this.asleep);
    this.asleep = setTimeout(() => this.look(), 120);
  }

  add(place) {
    const card = one("#card").content.firstElementChild.cloneNode(true);
    this.put(card, place);
    fillCard(card, this.list[place], this.page);
    // in the order of the list, so that Tab and screen readers go the way the eye goes
    const next = [...this.cards.keys()].filter((other) => other > place).sort((a, b) => a - b)[0];
    this.grid.insertBefore(card, next === undefined ? null : this.cards.get(next));
    this.cards.set(place, card);
    return card;
  }

  put(card, place) {
    const { left, top, wide, film, foot } = this.plan.at(place);
    const changed = this.page.jobs.name("state", this.list[place]) === "changed";
    card.style.width = `${wide}px`;
    card.style.transform = `translate(${left}px, ${top}px)`;
    card.style.setProperty("--poster", `${film}px`);
    card.style.setProperty("--lines", Math.max(2, Math.floor((foot - (changed ? NOW : 0) - CAPTION) / LINE) + 2));
    card.dataset.place = place;
    card.setAttribute("aria-posinset", place + 1);
    card.setAttribute("aria-setsize", this.list.length);
    card.tabIndex = place === this.at ? 0 : -1;
  }

  /** When scrolling has come to rest: posters for what is really in sight. */
  look() {
    this.page.posters.drop();
    for (const card of this.cards.values()) {
      const box = card.getBoundingClientRect();
      if (!one("canvas", card)) one(".still", card).dataset.asked = "";
      if (box.bottom > -60 && box.top < innerHeight + 60) lookAt(card, this.page);
    }
  }

  /** Jobs changed while the page was open: fill their cards again. */
  refresh(changed) {
    for (const [place, card] of this.cards) {
      const i = this.list[place];
      if (!changed || changed.has(i)) fillCard(card, i, this.page);
    }
    this.soon();
  }

  pages() {
    const nav = one("#pages");
    const count = this.starts.length;
    nav.hidden = count < 2;
    if (nav.hidden) return;
    const now = this.starts.indexOf(this.from);
    const turn = (to) => () => {
      this.from = this.starts[to];
      this.at = this.from;
      this.forget();
      this.measure();
      one("#bar").scrollIntoView();
    };
    nav.replaceChildren(
      make("button", { type: "button", class: "quiet", disabled: now === 0, onclick: turn(now - 1) }, "Previous"),
      make("span", {}, `Page ${now + 1} of ${count}`),
      make("button", { type: "button", class: "quiet", disabled: now === count - 1, onclick: turn(now + 1) }, "Next"),
    );
  }

  clicked(event) {
    const card = event.target.closest(".card");
    if (!card || event.target.closest("a, video")) return;
    const place = Number(card.dataset.place);
    this.here(place);
    const mark = event.target.closest(".mark");
    if (mark) this.page.mark(this.list[place], mark.classList.contains("accept") ? "accept" : "reject");
    else if (card.classList.contains("tile")) this.page.details.open(place);
    else if (event.target.closest(".poster") && !one(".play", card).hidden) playCard(card, this.page);
    else if (event.target.closest(".prompt, .poster, .now")) this.page.details.open(place);
  }

  typed(event) {
    if (event.target.closest("video, a") || event.ctrlKey || event.metaKey || event.altKey) return;
    const onButton = event.target.closest("button");
    const card = event.target.closest(".card");
    const place = card ? Number(card.dataset.place) : this.at;
    const to = { ArrowLeft: () => place - 1, ArrowRight: () => place + 1, ArrowUp: () => this.over(place, -1), ArrowDown: () => this.over(place, 1) }[event.key];
    if (to) this.go(card ? to() : place);
    else if (event.key === "Home") this.go(this.from);
    else if (event.key === "End") this.go(this.from + this.shown - 1);
    else if (!card) return;
    else if (event.key === " " && !onButton) playCard(card, this.page);
    else if (event.key === "Enter" && !onButton) this.page.details.open(place);
    else if (MARK_KEYS[event.key] !== undefined) this.page.mark(this.list[place], MARK_KEYS[event.key]);
    else return;
    event.preventDefault();
  }

  /** The card in the row above (-1) or below (1) that stands nearest. */
  over(place, step) {
    const { rows } = this.plan;
    const row = rows[rows.findIndex(({ first, last }) => place >= first && place < last) + step];
    if (!row) return place;
    const middle = (k) => this.plan.at(k).left + this.plan.at(k).wide / 2;
    let best = row.first;
    for (let k = row.first; k < row.last; k++) if (Math.abs(middle(k) - middle(place)) < Math.abs(middle(best) - middle(place))) best = k;
    return best;
  }

  /** The keyboard is at this card now. */
  here(place) {
    const before = this.cards.get(this.at);
    if (before) before.tabIndex = -1;
    this.at = place;
    const card = this.cards.get(place);
    if (card) card.tabIndex = 0;
  }

  /** Move the keyboard to a card, and bring it into sight. */
  go(place) {
    const to = Math.min(this.from + this.shown - 1, Math.max(this.from, place));
    if (to < 0 || !this.list.length) return;
    this.here(to);
    const grid = this.grid.getBoundingClientRect();
    const row = this.plan.rows.find(({ first, last }) => to >= first && to < last);
    const [top, bottom] = [grid.top + row.top, grid.top + row.bottom];
    const bar = one("#bar").getBoundingClientRect().bottom + 8;
    if (top < bar || bottom - top > innerHeight - bar) scrollBy(0, top - bar);
    else if (bottom > innerHeight - 8) scrollBy(0, bottom - innerHeight + 8);
    this.draw();
    const card = this.cards.get(to) || this.add(to);
    card.tabIndex = 0;
    card.focus({ preventScroll: true });
  }
}
