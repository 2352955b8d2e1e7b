// One job as a card: what it shows, and playing its video in place.

/** What a job has to show: files beside the page, or only addresses at the service. */
function videosOf(text) {
  return {
    files: text.video_paths.map(fileLink).filter(Boolean),
    links: text.video_urls.map(webLink).filter(Boolean),
  };
}

/** The prompt; a job without one is called by its scene and id. */
function titleOf(text, scene) {
  const words = scene.replaceAll("-", " ");
  return text.prompt || [words.slice(0, 1).toUpperCase() + words.slice(1), text.job_id].filter(Boolean).join(" ") || "No prompt";
}

const shortModel = (model) => model.split("/").slice(-3).join("/");

/** Fill (or fill again) a card with job i. */
function fillCard(card, i, page) {
  const { jobs, marks } = page;
  const text = jobs.text(i);
  const state = jobs.name("state", i);
  const { files } = videosOf(text);
  const name = titleOf(text, jobs.name("scene", i));
  card.dataset.job = i;
  card.dataset.tone = stateTone(state);
  card.setAttribute("aria-label", `${stateLabel(state)}: ${name.slice(0, 160)}`);
  const prompt = one(".prompt", card);
  one("span", prompt).textContent = name;
  prompt.title = "Show everything about this job";
  const charged = jobs.number("charged_credits", i);
  const words = [];
  if (Number.isFinite(charged)) words.push(plural(charged, "credit"));
  if (jobs.seconds(i) >= 0) words.push(span(jobs.seconds(i)));
  one(".model", card).textContent = shortModel(jobs.name("model", i));
  one(".model", card).title = jobs.name("model", i);
  one(".spent", card).textContent = words.join(" · ");
  const badge = one(".badge", card);
  badge.replaceChildren(icon(stateIcon(state)), stateLabel(state));
  badge.hidden = state === "succeeded" && files.length > 0;
  one(".length", card).textContent = files.length > 1 ? `${files.length} videos` : "";
  const play = one(".play", card);
  play.hidden = !files.length;
  play.setAttribute("aria-label", `Play: ${name.slice(0, 80)}`);
  if (!one("video", card)) fillStill(one(".still", card), i, text, state, page);
  const done = page.markable(i);
  one(".marks", card).hidden = !done;
  one(".why", card).hidden = done || !["bad", "warn"].includes(stateTone(state));
  fillMarks(card, text.job_id, marks);
}

/** What stands where the video will play: a calm colour, and for a job without a video the reason. */
function fillStill(still, i, text, state, page) {
  const { files, links } = videosOf(text);
  const tone = hue(text.job_id || String(i));
  still.style.setProperty("--hue", tone);
  still.classList.toggle("blank", !files.length);
  if (files.length) {
    if (!one("canvas", still)) still.replaceChildren();
    return;
  }
  const link = links.length ? make("a", { href: links[0], target: "_blank", rel: "noopener noreferrer" }, "Open the video") : null;
  const code = page.jobs.name("error_code", i);
  const reason = text.error || code.replaceAll("_", " ");
  still.replaceChildren(
    icon(link ? "film" : stateIcon(state)),
    link || (reason ? make("span", { class: "reason" }, reason) : ""),
  );
}

function fillMarks(root, job, marks) {
  const mark = marks.of(job);
  for (const [kind, button] of [["accept", one(".accept", root)], ["reject", one(".reject", root)]]) {
    button.setAttribute("aria-pressed", mark === kind);
    button.disabled = !job;
  }
  root.dataset.mark = mark;
}

/** Ask for the still of a card that is in sight. */
function lookAt(card, page) {
  const still = one(".still", card);
  if (still.dataset.asked === card.dataset.job || one("video", card)) return;
  const job = card.dataset.job;
  const [file] = videosOf(page.jobs.text(Number(job))).files;
  if (!file) return;
  still.dataset.asked = job;
  page.posters.ask(file, (canvas) => {
    if (card.dataset.job !== job || one("video", card)) return;
    if (!canvas) {
      still.dataset.asked = "";
      still.classList.add("missing");
      return;
    }
    const picture = copyOf(canvas);
    const shape = (canvas.width / canvas.height) * (still.clientHeight / still.clientWidth);
    const fills = Math.abs(shape - 1) < 0.04; // no hairline at the edges
    picture.classList.toggle("fills", fills);
    still.replaceChildren(...(fills ? [picture] : [copyOf(canvas, 32), picture]));
    const length = one(".length", card);
    if (!length.textContent && Number.isFinite(canvas.seconds)) length.textContent = clock(canvas.seconds);
  });
}

/** One canvas can stand in one place only. A copy of a few pixels is the soft ground behind another shape. */
function copyOf(canvas, width = canvas.width) {
  const height = Math.round((canvas.height * width) / canvas.width);
  const copy = make("canvas", { width, height, class: width < canvas.width ? "ground" : null, "aria-hidden": "true" });
  copy.getContext("2d").drawImage(canvas, 0, 0, width, height);
  return copy;
}

const clock = (seconds) => `${Math.floor(Math.round(seconds) / 60)}:${String(Math.round(seconds) % 60).padStart(2, "0")}`;

/** A player for a file beside the page; says so when the file is not there. */
function player(file, label) {
  const video = make("video", { controls: true, playsinline: true, loop: true, preload: "metadata", "aria-label": label });
  video.addEventListener("error", () => {
    const name = decodeURIComponent(file);
    video.replaceWith(make("p", { class: "lost", role: "alert" }, icon("alert"), `${name} does not lie beside this page, or can't be played.`));
  });
  video.src = file;
  return video;
}

/** Play the video of a card in its place; a second call stops it. */
function playCard(card, page) {
  const poster = one(".poster", card);
  const running = one("video", poster);
  if (running) {
    if (running.paused) running.play();
    else running.pause();
    return;
  }
  const text = page.jobs.text(Number(card.dataset.job));
  const [file] = videosOf(text).files;
  if (!file) return;
  for (const other of all(".grid video")) stopCard(other.closest(".card"), page);
  const video = player(file, text.prompt || text.job_id);
  poster.append(video);
  card.classList.add("playing");
  video.play().catch(() => {}); // the error event has said why
}

function stopCard(card, page) {
  const video = one("video", card);
  if (!video) return;
  video.pause();
  video.removeAttribute("src");
  video.load();
  video.remove();
  card.classList.remove("playing");
  lookAt(card, page);
}
