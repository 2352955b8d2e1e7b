// Accept and reject: kept in this browser, downloaded as a CSV that `batchgen retry` and `run` take.

class Marks {
  constructor(key) {
    this.place = `batchgen.marks.${key}`;
    this.all = new Map();
    this.kept = true;
    try {
      this.all = new Map(JSON.parse(localStorage.getItem(this.place) || "[]"));
    } catch {
      this.kept = false; // storage is switched off here: the marks live until the page is closed
    }
  }

  of(job) {
    return this.all.get(job) || "";
  }

  /** Set a mark, or take it back where it was set already. */
  toggle(job, mark) {
    if (!job) return;
    if (mark === "" || this.of(job) === mark) this.all.delete(job);
    else this.all.set(job, mark);
    try {
      localStorage.setItem(this.place, JSON.stringify([...this.all]));
    } catch {
      this.kept = false;
    }
  }

  count(mark) {
    let found = 0;
    for (const value of this.all.values()) if (value === mark) found++;
    return found;
  }

  /** As results.csv is written: byte-order mark, CR LF, an apostrophe before what a spreadsheet would run. */
  csv() {
    const guard = (text) => {
      const behind = text.replace(/^'+/, "");
      const plain = /^[+-]([0-9]+([.,][0-9]+)*|[.,][0-9]+)([eE][+-]?[0-9]+)?%?$/.test(text);
      return /^[=+\-@\t\r]/.test(behind) && !plain ? `'${text}` : text;
    };
    const quote = (text) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
    const lines = [...this.all].map(([job, mark]) => `${quote(guard(job))},${mark}\r\n`);
    return `\ufeffjob_id,mark\r\n${lines.join("")}`;
  }

  save(name) {
    const url = URL.createObjectURL(new Blob([this.csv()], { type: "text/csv;charset=utf-8" }));
    make("a", { href: url, download: `${name}.marks.csv` }).click();
    setTimeout(() => URL.revokeObjectURL(url), 60_000);
  }
}
