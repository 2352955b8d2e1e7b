// Which jobs are shown, and in which order.

/** What the person asked for. `picks`: name of a filter -> set of values (none: all). */
class Choice {
  constructor() {
    this.picks = new Map();
    this.query = "";
    this.sort = "order";
    this.group = ""; // "" or own:k
    this.view = "succeeded"; // a kind (see Jobs.kind), or "all"
  }

  pick(filter, values) {
    if (values.length) this.picks.set(filter, new Set(values));
    else this.picks.delete(filter);
  }

  get narrow() {
    return this.view !== "succeeded" || this.picks.size > 0 || this.query.trim() !== "";
  }
}

const SORTS = {
  order: ["Manifest order", null],
  job: ["Job id", (jobs, i) => jobs.text(i).job_id],
};

/** A sort by the user's own column k is named `own:k`. Blank cells come last; numbers go by value. */
function sortKey(jobs, sort) {
  if (!sort.startsWith("own:")) return SORTS[sort][1];
  const place = Number(sort.slice(4));
  return (_, i) => {
    const text = jobs.text(i).other[place];
    if (text === "") return [1, ""];
    const value = Number(text);
    return Number.isNaN(value) ? [0, text.toLowerCase()] : [-1, value];
  };
}

/** -1, 0 or 1; pairs go by their first and then by their second. */
function compare(a, b) {
  if (Array.isArray(a)) return compare(a[0], b[0]) || compare(a[1], b[1]);
  return a < b ? -1 : a > b ? 1 : 0;
}

/**
 * The places of the jobs that fit, in order. Works a few milliseconds at a time, and gives up with null
 * as soon as `wanted()` says that another choice was made meanwhile. Films come before what is none; with a
 * group, the jobs of one value stand together, and `heads` are [[place, value and count]].
 */
async function choose(jobs, choice, marks, wanted) {
  const tests = [];
  if (choice.view !== "all") tests.push((i) => jobs.kind(i) === choice.view);
  for (const [filter, values] of choice.picks) {
    if (filter === "mark") tests.push((i) => values.has(marks.of(jobs.text(i)).mark));
    else {
      const names = filter.startsWith("own:") ? jobs.facets[Number(filter.slice(4))] : jobs.named.get(filter);
      const codes = new Set([...values].map((value) => names.known.get(value)));
      tests.push((i) => codes.has(names.codes[i]));
    }
  }
  const terms = choice.query.toLowerCase().split(/\s+/).filter(Boolean);
  if (terms.length) tests.push((i) => terms.every((term) => jobs.haystack(i).includes(term)));
  const key = sortKey(jobs, choice.sort);
  const keys = key ? new Array(jobs.size) : null;
  const found = [];
  let since = performance.now();
  for (let i = 0; i < jobs.size; i++) {
    if (tests.every((test) => test(i))) {
      found.push(i);
      if (keys) keys[i] = key(jobs, i);
    }
    if (i % 250 === 249 && performance.now() - since > 12) {
      await breath();
      if (!wanted()) return null;
      since = performance.now();
    }
  }
  if (keys) found.sort((a, b) => compare(keys[a], keys[b]) || a - b);
  const rank = (i) => (jobs.film(i) ? 0 : 1);
  const groups = new Map();
  const place = choice.group === "" ? -1 : Number(choice.group.slice(4));
  for (const i of found) {
    const value = place < 0 ? "" : jobs.text(i).other[place];
    if (!groups.has(value)) groups.set(value, []);
    groups.get(value).push(i);
  }
  const sorted = [...groups].sort(([a], [b]) => (a === "") - (b === "")); // jobs without a value come last
  const list = [];
  const heads = [];
  for (const [value, some] of sorted) {
    if (place >= 0) heads.push([list.length, `${value || "(blank)"} · ${number(some.length)}`]);
    for (const i of some.sort((a, b) => rank(a) - rank(b))) list.push(i);
  }
  return { list, heads };
}

/** How many jobs have each value of a filter: [[value, count]], most first. */
function tally(jobs, names) {
  const counts = new Array(names.values.length).fill(0);
  for (let i = 0; i < jobs.size; i++) counts[names.codes[i]]++;
  return names.values
    .map((value, code) => [value, counts[code]])
    .filter(([, count]) => count)
    .sort((a, b) => b[1] - a[1] || compare(a[0], b[0]));
}
