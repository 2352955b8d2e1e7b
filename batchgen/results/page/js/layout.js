// Where each card stands: films in justified rows (every row as wide as the page, every film in its own shape),
// what is no film as small tiles behind them. Arithmetic only; nothing here touches the page.

const GAP = 10;
const HEADING = 46;
const TALLEST = 14_000_000; // pixels; browsers draw no higher elements, so longer lists have pages

/** How high a row of films wants to be, and how wide a tile, by the size that was chosen. */
const SIZES = { small: [128, 150], medium: [222, 270], large: [380, 320] };

/** Where the cards from number `from` of a list to number `to` stand, in pixels; `film` is the height of a poster,
 * `foot` that of what stands under it. */
class Plan {
  constructor(from, to) {
    [this.from, this.to, this.height] = [from, to, 0];
    [this.left, this.top, this.wide, this.film, this.foot] = [0, 1, 2, 3, 4].map(() => new Float64Array(to - from));
    this.rows = []; // {top, bottom, first, last}
    this.heads = []; // {top, words}
  }

  has(k) {
    return k >= this.from && k < this.to;
  }

  at(k) {
    const place = k - this.from;
    return { left: this.left[place], top: this.top[place], wide: this.wide[place], film: this.film[place], foot: this.foot[place] };
  }

  put(k, left, top, wide, film, foot) {
    const place = k - this.from;
    [this.left[place], this.top[place], this.wide[place], this.film[place], this.foot[place]] = [left, top, wide, film, foot];
  }
}

/**
 * The plan of a list from number `from` on. `of(k)` says {shape} of a film (width by height) with `caption(wide)`, the
 * pixels under it where it is so wide, or {tile: true}; `heads` are [[number, words]] in order.
 */
function lay(from, to, width, size, screen, of, heads = []) {
  const [target, tile] = SIZES[size];
  const plan = new Plan(from, to);
  const cuts = new Map(heads);
  const films = [];
  let top = 0;
  const row = (first, count, height, widths, caption, middle = false) => {
    let left = middle ? (width - widths.reduce((sum, wide) => sum + wide, GAP * (count - 1))) / 2 : 0;
    for (let k = 0; k < count; k++) {
      plan.put(first + k, left, top, widths[k], caption ? height : 0, caption);
      left += widths[k] + GAP;
    }
    plan.rows.push({ top, bottom: top + height + caption, first, last: first + count });
    top += height + caption + GAP;
  };
  const filmRow = ([some, height, middle]) => {
    const widths = some.map(({ shape }) => shape * height);
    row(some[0].k, some.length, height, widths, captionOf([some, height]), middle);
  };
  const flush = () => {
    justified(films, width, target, screen).forEach(filmRow);
    films.length = 0;
  };
  let tiles = 0;
  const across = Math.max(1, Math.floor((width + GAP) / (tile + GAP)));
  const flushTiles = (k) => {
    const wide = (width - GAP * (across - 1)) / across;
    for (let first = k - tiles; first < k; first += across) row(first, Math.min(across, k - first), 104, new Array(across).fill(wide), 0);
    tiles = 0;
  };
  for (let k = from; k < to; k++) {
    const item = of(k);
    if (tiles && (cuts.has(k) || !item.tile)) flushTiles(k);
    if (films.length && (cuts.has(k) || item.tile)) flush();
    if (films.length > 400) {
      // a long list is laid a piece at a time; the piece's last, open row goes on in the next
      const rows = justified(films, width, target, 0);
      const [open] = rows.pop();
      rows.forEach(filmRow);
      films.splice(0, films.length - open.length);
      screen = 0;
    }
    if (top > TALLEST) {
      plan.to = films[0]?.k ?? k - tiles;
      films.length = tiles = 0;
      break;
    }
    if (cuts.has(k)) {
      top += k > from ? 14 : 0;
      plan.heads.push({ top, words: cuts.get(k) });
      top += HEADING;
    }
    if (item.tile) tiles++;
    else films.push({ k, ...item });
  }
  if (films.length) flush();
  if (tiles) flushTiles(plan.to);
  plan.height = Math.max(0, top - GAP);
  return plan;
}

const captionOf = ([some, height]) => Math.max(...some.map(({ shape, caption }) => caption(shape * height)));

/** [[films of a row, its height, in the middle?]]: full rows near `target`; few films grow until they fill the `screen`. */
function justified(films, width, target, screen) {
  const rows = filled(films, width, target);
  const rest = (some) => some.reduce((sum, row) => sum + captionOf(row) + GAP, -GAP);
  const heights = (some) => some.reduce((sum, [, height]) => sum + height, 0);
  if (!screen || films.length > 60 || heights(rows) + rest(rows) >= screen) return rows;
  const area = (some, bottom = Infinity) => {
    let [sum, top] = [0, 0];
    for (const row of some) {
      const [its, height] = row;
      sum += its.reduce((wide, { shape }) => wide + shape * height, 0) * Math.max(0, Math.min(height, bottom - top));
      top += height + captionOf(row) + GAP;
    }
    return sum;
  };
  let best = rows;
  for (let count = 1; count <= films.length; count++) {
    const even = evenly(films, width, count);
    const fits = Math.min(1, (screen - rest(even)) / heights(even));
    if (fits < 0.6) continue;
    const shrunk = even.map(([some, height]) => [some, height * fits, true]);
    if (area(shrunk) > area(best)) best = shrunk;
  }
  if (area(best) > 0.7 * width * screen) return best;
  // whatever is wholly in sight leaves much of it blank: then larger, and the last ones further down
  for (let larger = target; larger < screen; larger *= 1.1) {
    const some = filled(films, width, larger);
    if (some.every((row) => row[1] + captionOf(row) <= screen) && area(some, screen) > area(best, screen) * 1.05) best = some;
  }
  return best;
}

/** Row after row: a film joins as long as that brings the row's height nearer to the target. */
function filled(films, width, target) {
  const narrowest = width < 500 ? 84 : 120; // pixels; a card that is narrower has no room for a name
  const rows = [];
  let [some, sum, least] = [[], 0, Infinity];
  const height = (shapes, count) => (width - GAP * (count - 1)) / shapes;
  for (const film of films) {
    const before = some.length ? height(sum, some.length) : Infinity;
    const after = height(sum + film.shape, some.length + 1);
    const narrow = some.length > 0 && Math.min(least, film.shape) * after < narrowest;
    if (some.length && (narrow || before - target < target - after)) {
      rows.push([some, before]);
      [some, sum, least] = [[], 0, Infinity];
    }
    some.push(film);
    sum += film.shape;
    least = Math.min(least, film.shape);
  }
  if (some.length) {
    const last = height(sum, some.length);
    // a last row that is not full keeps the height of the others, and stands at the left
    rows.push([some, last <= target * 1.25 ? last : rows.length ? Math.min(last, rows.at(-1)[1]) : Math.min(last, target * 1.25)]);
  }
  return rows;
}

/** The films in `count` rows of nearly the same sum of shapes, each row as wide as the page. */
function evenly(films, width, count) {
  const whole = films.reduce((sum, { shape }) => sum + shape, 0);
  const rows = Array.from({ length: count }, () => []);
  let before = 0;
  for (const film of films) {
    rows[Math.min(count - 1, Math.floor(((before + film.shape / 2) / whole) * count))].push(film);
    before += film.shape;
  }
  return rows.filter((some) => some.length).map((some) => [some, (width - GAP * (some.length - 1)) / some.reduce((sum, { shape }) => sum + shape, 0)]);
}
