// The keys, on `?`.

const KEYS = [
  ["Arrow keys", "go from film to film"],
  ["Space", "play, pause"],
  ["Enter", "open: large, with everything about it"],
  ["A", "accept"],
  ["R", "redo"],
  ["U", "take the mark back"],
  ["Home, End", "first, last"],
  ["/", "search"],
  ["Esc", "close"],
  ["?", "these keys"],
];

function helpOn(page) {
  const dialog = one("#help");
  const keys = page.marks ? KEYS : KEYS.filter(([key]) => !["A", "R", "U"].includes(key));
  one("dl", dialog).replaceChildren(...keys.map(([key, words]) => make("div", {}, make("dt", {}, make("kbd", {}, key)), make("dd", {}, words))));
  const close = () => dialog.close();
  one("button", dialog).addEventListener("click", close);
  dialog.addEventListener("click", (event) => event.target === dialog && close());
  one("#keys").addEventListener("click", () => dialog.showModal());
  addEventListener("keydown", (event) => {
    if (event.target.closest("input, textarea, select") || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "?") dialog.open ? close() : dialog.showModal();
    else if (event.key === "/" && !one("dialog[open]")) one("#query").focus();
    else return;
    event.preventDefault();
  });
}
