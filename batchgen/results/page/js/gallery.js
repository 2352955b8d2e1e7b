// The gallery: only the cards in sight exist, so that a hundred thousand jobs scroll like ten.

const GAP = 18;
const TALLEST = 14_000_000; // pixels; browsers draw no higher elements, so longer lists have pages

class Gallery {
  constructor(page) {
    this.page = page;
    this.grid = one("#grid");
    this.list = [];
    this.from = 0; // the first job of the page that is shown
    this.at = 0; // where the keyboard is, counted in the list
    this.cards = new Map(); // place in the list -> card
    this.asleep = 0;
    addEventListener("scroll", () => this.soon(), { passive: true });
    new ResizeObserver(() => this.measure()).observe(this.grid.parentElement);
    this.grid.addEventListener("click", (event) => this.clicked(event));
    this.grid.addEventListener("keydown", (event) => this.typed(event));
  }

  /** Show these jobs from the top. With `stay`, what is being looked at stays where it is and goes on playing. */
  show(list, stay = false) {
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
    const place = this.list.indexOf(job) - this.from;
    if (place < 0 || place >= this.shown) return;
    const now = this.grid.getBoundingClientRect().top + Math.floor(place / this.across) * (this.high + GAP);
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

  /** The shape that most of the first jobs have: width divided by height. */
  ratio() {
    const counts = new Map();
    for (const i of this.list.slice(0, 2000)) {
      const [width, height] = this.page.jobs.name("ratio", i).split(":").map(Number);
      const shape = width > 0 && height > 0 ? Math.min(16 / 9, Math.max(9 / 16, width / height)) : 16 / 9;
      counts.set(shape, (counts.get(shape) || 0) + 1);
    }
    return [...counts].sort((a, b) => b[1] - a[1])[0]?.[0] ?? 16 / 9;
  }

  /** How wide and high a card is, how many stand side by side, how many fit on one page. */
  measure() {
    const width = this.grid.clientWidth;
    if (!width) return;
    const shape = this.ratio();
    const least = shape < 1 ? 164 : 290;
    this.across = Math.max(1, Math.floor((width + GAP) / (least + GAP)));
    this.wide = Math.floor((width - GAP * (this.across - 1)) / this.across);
    const poster = Math.round((this.wide - 2) / shape); // the card has a border of 1 on both sides
    this.high = poster + 160;
    this.perPage = Math.max(this.across, Math.floor(TALLEST / (this.high + GAP)) * this.across);
    this.shown = Math.min(this.perPage, this.list.length - this.from);
    const rows = Math.ceil(this.shown / this.across);
    this.grid.style.height = `${Math.max(0, rows * (this.high + GAP) - GAP)}px`;
    this.grid.style.setProperty("--poster", `${poster}px`);
    this.pages();
    for (const [place, card] of this.cards) this.put(card, place);
    this.draw();
  }

  soon() {
    this.frame ||= requestAnimationFrame(() => {
      this.frame = 0;
      this.draw();
    });
  }

  /** Make the cards that are in sight or nearly, and drop the others. */
  draw() {
    if (!this.grid.clientWidth) return;
    const top = -this.grid.getBoundingClientRect().top;
    const step = this.high + GAP;
    const first = Math.max(0, Math.floor(top / step) - 1) * this.across;
    const last = Math.min(this.shown, (Math.floor((top + innerHeight) / step) + 2) * this.across);
    for (const [place, card] of this.cards) {
      const near = place - this.from >= first && place - this.from < last;
      if (near || card.contains(document.activeElement)) continue;
      this.drop(card);
      this.cards.delete(place);
    }
    for (let k = first; k < last; k++) if (!this.cards.has(this.from + k)) this.add(this.from + k);
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
    const k = place - this.from;
    const x = (k % this.across) * (this.wide + GAP);
    const y = Math.floor(k / this.across) * (this.high + GAP);
    card.style.width = `${this.wide}px`;
    card.style.height = `${this.high}px`;
    card.style.transform = `translate(${x}px, ${y}px)`;
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
    const count = Math.ceil(this.list.length / this.perPage);
    nav.hidden = count < 2;
    if (nav.hidden) return;
    const now = Math.floor(this.from / this.perPage);
    const turn = (to) => () => {
      this.from = to * this.perPage;
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
    else if (event.target.closest(".poster") && !one(".play", card).hidden) playCard(card, this.page);
    else if (event.target.closest(".prompt, .poster, .why")) this.page.details.open(place);
  }

  typed(event) {
    if (event.target.closest("video, a") || event.ctrlKey || event.metaKey || event.altKey) return;
    const onButton = event.target.closest("button");
    const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -this.across, ArrowDown: this.across }[event.key];
    const card = event.target.closest(".card");
    const place = card ? Number(card.dataset.place) : this.at;
    if (step) this.go(card ? place + step : place);
    else if (event.key === "Home") this.go(this.from);
    else if (event.key === "End") this.go(this.from + this.shown - 1);
    else if (!card) return;
    else if (event.key === " " && !onButton) playCard(card, this.page);
    else if (event.key === "Enter" && !onButton) this.page.details.open(place);
    else if (event.key === "a") this.page.mark(this.list[place], "accept");
    else if (event.key === "r") this.page.mark(this.list[place], "reject");
    else if (event.key === "u") this.page.mark(this.list[place], "");
    else return;
    event.preventDefault();
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
    const top = grid.top + Math.floor((to - this.from) / this.across) * (this.high + GAP);
    const bar = one("#bar").getBoundingClientRect().bottom + 8;
    if (top < bar) scrollBy(0, top - bar);
    else if (top + this.high > innerHeight - 8) scrollBy(0, top + this.high - innerHeight + 8);
    this.draw();
    const card = this.cards.get(to) || this.add(to);
    card.tabIndex = 0;
    card.focus({ preventScroll: true });
  }
}
