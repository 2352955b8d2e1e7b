// The jobs: names as numbers in typed arrays, texts read chunk by chunk when somebody looks.

/** One value of a column in any of its three spellings (see chunks.py). */
function cell(column, place) {
  if (Array.isArray(column)) return column[place];
  return "c" in column ? column.c : column.d[column.v[place]];
}

/** Names as numbers: `values[codes[i]]` is the name of job i. */
class Names {
  constructor() {
    this.values = [];
    this.codes = new Int32Array(0);
    this.known = new Map();
  }

  code(value) {
    let code = this.known.get(value);
    if (code === undefined) {
      code = this.values.push(value) - 1;
      this.known.set(value, code);
    }
    return code;
  }

  of(i) {
    return this.values[this.codes[i]];
  }
}

class Jobs {
  constructor(meta) {
    this.meta = meta;
    this.size = 0;
    this.chunk = 0;
    this.named = new Map(meta.columns.named.map((name) => [name, new Names()]));
    this.numbers = new Map(meta.columns.numbers.map((name) => [name, new Float64Array(0)]));
    this.title = meta.other.findIndex((name) => name.toLowerCase() === "title");
    this.facets = meta.facets.map(() => new Names());
    this.sources = all("script.jobs-texts");
    this.parsed = [];
    this.haystacks = [];
    this.fresh = new Map(); // texts of jobs that changed while the page was open
  }

  /** Read the index of every chunk in the page, a little at a time; `drawn` is called after the first, and whenever
   * there are four times as many jobs. */
  async read(drawn) {
    let since = performance.now();
    let shown = 0;
    for (const source of all("script.jobs-index")) {
      const chunk = JSON.parse(source.textContent);
      this.chunk ||= chunk.n;
      this.add(chunk, null);
      source.remove();
      if (performance.now() - since > 12) {
        if (this.size >= shown * 4) drawn((shown = this.size));
        await breath();
        since = performance.now();
      }
    }
  }

  /** Put an index chunk at the end, or at the places `at`. */
  add(chunk, at) {
    const places = at || Array.from({ length: chunk.n }, (_, k) => this.size + k);
    const needed = Math.max(this.size, ...(at ? at.map((place) => place + 1) : [this.size + chunk.n]));
    this.room(needed);
    for (const [name, names] of this.named) this.put(names, chunk[name], places);
    this.facets.forEach((names, k) => this.put(names, chunk.facets[k], places));
    for (const [name, column] of this.numbers) {
      places.forEach((place, k) => {
        const value = cell(chunk[name], k);
        column[place] = value === null ? NaN : value;
      });
    }
    this.size = needed;
  }

  put(names, column, places) {
    places.forEach((place, k) => {
      names.codes[place] = names.code(cell(column, k));
    });
  }

  room(needed) {
    const now = this.numbers.get("videos").length;
    if (needed <= now) return;
    const more = Math.max(needed, now * 2, 1024);
    for (const names of [...this.named.values(), ...this.facets]) {
      const codes = new Int32Array(more);
      codes.set(names.codes);
      names.codes = codes;
    }
    for (const [name, column] of this.numbers) {
      const longer = new Float64Array(more);
      longer.set(column);
      this.numbers.set(name, longer);
    }
  }

  /** Changed jobs from the live server: {at, index, texts}. */
  change(update) {
    this.add(update.index, update.at);
    update.at.forEach((place, k) => this.fresh.set(place, this.pick(update.texts, k, place)));
  }

  /** A name or a number of job i; a page for a client has only a few of them. */
  name(column, i) {
    return this.named.get(column)?.of(i) ?? "";
  }

  number(column, i) {
    return this.numbers.get(column)?.[i] ?? NaN;
  }

  /** What a job is to somebody who looks at films: `succeeded` for a film, `gone` without a row, or its state. */
  kind(i) {
    const state = this.name("state", i);
    if (this.numbers.has("row") && !this.meta.client && Number.isNaN(this.number("row", i))) return "gone";
    if (this.film(i)) return "succeeded";
    return state === "succeeded" ? "empty" : state;
  }

  /** Whether there is something to look at. */
  film(i) {
    return this.number("videos", i) > 0;
  }

  /** What a person calls the job: its title, else its id; a fingerprint is no name. */
  nameOf(text) {
    const title = this.title < 0 ? "" : text.other[this.title].trim();
    const id = /^[0-9a-f]{16}(-[0-9]+)?$/.test(text.job_id) ? "" : text.job_id;
    return { title: title || id, id: title ? id : "" };
  }

  seconds(i) {
    return this.number("finished_at", i) - this.number("submitted_at", i);
  }

  texts(place) {
    return (this.parsed[place] ||= JSON.parse(this.sources[place].textContent));
  }

  /** Everything that is text of job i; `other` in the order of meta.other. */
  text(i) {
    const fresh = this.fresh.get(i);
    if (fresh) return fresh;
    return this.pick(this.texts(Math.floor(i / this.chunk)), i % this.chunk, i);
  }

  pick(texts, place, i) {
    const found = {};
    for (const name of this.meta.columns.texts) found[name] = cell(texts[name], place);
    found.other = texts.other.map((column, k) =>
      column === null ? this.facets[this.meta.facets.indexOf(k)].of(i) : cell(column, place),
    );
    return found;
  }

  /** What a search looks at, in small letters. */
  haystack(i) {
    const join = (text) => [text.prompt, text.now, text.job_id, text.task_id, text.error, text.review_note, ...text.other].join("\n").toLowerCase();
    const fresh = this.fresh.get(i);
    if (fresh) return join(fresh);
    const place = Math.floor(i / this.chunk);
    const known = (this.haystacks[place] ||= []);
    return (known[i % this.chunk] ??= join(this.text(i)));
  }
}
